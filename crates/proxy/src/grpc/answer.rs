//! The proxy's own words in a call: an answer of trailers alone, or trailers behind the upstream's
//! messages.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::{
    grpc::{
        retry::PUSHBACK,
        status::{STATUS, Status},
    },
    refusal::{PROXY_STATUS, Refusal, fault::Fault},
};

const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// Milliseconds after which a client that met a limit may come again: the second of `Retry-After`
const COME_AGAIN: HeaderValue = HeaderValue::from_static("1000");

/// The headers of an answer that refuses a call and has nothing else ("Trailers-Only"), with HTTP's status 200
pub(crate) fn refusal(refusal: Refusal) -> HeaderMap {
    let mut headers = trailers(Status::of_refusal(refusal), Fault::Refused(refusal));
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(PROXY_STATUS, HeaderValue::try_from(refusal.proxy_status()).expect("names are ASCII"));
    if refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(PUSHBACK, COME_AGAIN);
    }
    headers
}

/// The trailers of a call that the proxy ends
pub(crate) fn trailers(status: Status, fault: Fault) -> HeaderMap {
    let remedy = match fault {
        Fault::Refused(Refusal::GrpcNeedsHttp2) => {
            ": the upstream speaks HTTP/1.1; write http=2 beside a URL without TLS"
        }
        _ => "",
    };
    let text = format!("sidekit-proxy: {}{remedy}", fault.name());
    let message = HeaderValue::try_from(percent_encoded(&text)).expect("what is encoded is ASCII");
    HeaderMap::from_iter([(STATUS, status.value()), (MESSAGE, message)])
}

/// As `grpc-message` has it: a space and printable ASCII stay, but for the percent sign.
fn percent_encoded(text: &str) -> String {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'%';
    let encode = |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_refusal_is_one_head_that_names_its_reason() {
        let headers = refusal(Refusal::UpstreamRefuses);
        assert_eq!(headers[STATUS], "14");
        assert_eq!(headers[MESSAGE], "sidekit-proxy: upstream-refuses");
        assert_eq!(headers[CONTENT_TYPE], "application/grpc");
        assert!(headers[PROXY_STATUS].to_str().unwrap().contains("upstream-refuses"));
        assert!(!headers.contains_key(PUSHBACK));
        assert_eq!(refusal(Refusal::TooManyRequests)[PUSHBACK], "1000");
        for reason in Refusal::ALL {
            assert!(refusal(reason)[MESSAGE].to_str().unwrap().contains(reason.name()));
        }
    }

    #[test]
    fn messages_are_encoded_as_the_protocol_says() {
        assert_eq!(percent_encoded("100% of 5 ä~\n\x7f"), "100%25 of 5 %C3%A4~%0A%7F");
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_decoded(text in "\\PC*|.*") {
            let encoded = percent_encoded(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let mut parts = encoded.split('%');
            let mut decoded = parts.next().unwrap().as_bytes().to_vec();
            for part in parts {
                decoded.push(u8::from_str_radix(&part[..2], 16).unwrap());
                decoded.extend(&part.as_bytes()[2..]);
            }
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }
}
