//! What a collector answers: `ExportLogsServiceResponse`, or `Status` where it refuses. It may be anything.

use endpoint::one_line;
use prost::Message;

use crate::outputs::Attempt;

/// `ExportLogsServiceResponse` of `logs_service.proto`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExportLogsServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<ExportLogsPartialSuccess>,
}

/// `ExportLogsPartialSuccess` of `logs_service.proto`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExportLogsPartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected_log_records: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What a good answer means. One that is no answer of OTLP comes from something else, and nothing is delivered.
pub(crate) fn judge(body: &[u8]) -> Attempt {
    let Ok(response) = ExportLogsServiceResponse::decode(body) else {
        return Attempt::again("the answer is no ExportLogsServiceResponse: does the URL lead to an OTLP receiver?");
    };
    let partial = response.partial_success.unwrap_or_default();
    match u64::try_from(partial.rejected_log_records) {
        Ok(refused @ 1..) => Attempt::Partly { refused, reason: one_line(&partial.error_message) },
        _ => Attempt::Delivered,
    }
}

/// Why it was refused, if the body says so in OTLP's way.
pub(crate) fn reason(body: &[u8]) -> Option<String> {
    let status = Status::decode(body).ok()?;
    Some(one_line(&status.message)).filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(rejected_log_records: i64, message: &str) -> Vec<u8> {
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: message.into() };
        ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    }

    #[test]
    fn what_an_answer_means() {
        assert_eq!(judge(b""), Attempt::Delivered);
        assert_eq!(judge(&answer(0, "be careful")), Attempt::Delivered);
        assert_eq!(judge(&answer(-1, "")), Attempt::Delivered);
        assert_eq!(judge(&answer(3, "too\nold")), Attempt::Partly { refused: 3, reason: "too old".into() });
        assert!(matches!(judge(b"<html>"), Attempt::Again { .. }));
    }

    #[test]
    fn a_refusal_says_why() {
        let status = Status { code: 3, message: "no such field".into() }.encode_to_vec();
        assert_eq!(reason(&status).as_deref(), Some("no such field"));
        assert_eq!(reason(b""), None);
        assert_eq!(reason(b"Bad Request"), None);
    }

    proptest! {
        #[test]
        fn anything_may_come(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            judge(&body);
            reason(&body);
        }
    }
}
