//! A collector's answer: `ExportLogsServiceResponse`, or `Status` where it refuses. The bytes can
//! be anything.

use endpoint::one_line;
use prost::Message;
use serde::Deserialize;

use crate::outputs::Attempt;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

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

/// `ExportLogsServiceResponse` in JSON (OTLP/HTTP, "JSON Protobuf Encoding": names in lower camel
/// case)
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonResponse {
    #[serde(default)]
    partial_success: Option<JsonPartialSuccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonPartialSuccess {
    #[serde(default)]
    rejected_log_records: JsonInteger,
    #[serde(default)]
    error_message: String,
}

/// A 64-bit integer: text in the JSON mapping of Protocol Buffers, a number from servers that have
/// a mapping of their own
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonInteger {
    Number(i64),
    Text(String),
}

impl JsonInteger {
    fn value(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl Default for JsonInteger {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// The meaning of the body of a 2xx. `None`: the body is no answer of OTLP, so the status alone
/// says what became of the batch.
///
/// OTLP/HTTP asks for an answer in the encoding of the request. Some servers answer in JSON all the
/// same, others with a text or a page, and some answer 204 without a body. Text can look like
/// Protocol Buffers, so only the content type says how to read it.
pub(crate) fn judge(body: &[u8], content_type: &str) -> Option<Attempt> {
    if body.is_empty() {
        return Some(Attempt::Delivered);
    }
    let (rejected, reason) = match content_type {
        PROTOBUF => {
            let partial = ExportLogsServiceResponse::decode(body).ok()?.partial_success.unwrap_or_default();
            (partial.rejected_log_records, partial.error_message)
        }
        JSON => match serde_json::from_slice::<JsonResponse>(body).ok()?.partial_success {
            Some(partial) => (partial.rejected_log_records.value()?, partial.error_message),
            None => return Some(Attempt::Delivered),
        },
        _ => return None,
    };
    Some(match u64::try_from(rejected) {
        Ok(refused @ 1..) => Attempt::Partly { refused, reason: one_line(&reason) },
        _ => Attempt::Delivered,
    })
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
        let binary = |body: &[u8]| judge(body, "application/x-protobuf");
        assert_eq!(binary(b""), Some(Attempt::Delivered));
        assert_eq!(binary(&answer(0, "be careful")), Some(Attempt::Delivered));
        assert_eq!(binary(&answer(-1, "")), Some(Attempt::Delivered));
        let partly = Some(Attempt::Partly { refused: 3, reason: "too old".into() });
        assert_eq!(binary(&answer(3, "too\nold")), partly);
        for text in ["<html>", "OK", "{}", "{\"partialSuccess\":{}}"] {
            assert_eq!(binary(text.as_bytes()), None, "{text}");
        }
        for content_type in ["", "text/plain", "application/octet-stream"] {
            assert_eq!(judge(&answer(3, "too old"), content_type), None);
            assert_eq!(judge(b"", content_type), Some(Attempt::Delivered));
        }
        let json = |body: &str| judge(body.as_bytes(), "application/json");
        for text in ["", "{}", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":null,"more":1}"#] {
            assert_eq!(json(text), Some(Attempt::Delivered), "{text}");
        }
        for number in ["3", "\"3\""] {
            let text = format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{number},"errorMessage":"too old"}}}}"#);
            assert_eq!(json(&text), partly, "{text}");
        }
        for text in ["OK", "[1]", r#"{"partialSuccess":{"rejectedLogRecords":"many"}}"#] {
            assert_eq!(json(text), None, "{text}");
        }
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
            judge(&body, "application/x-protobuf");
            judge(&body, "application/json");
            reason(&body);
        }
    }
}
