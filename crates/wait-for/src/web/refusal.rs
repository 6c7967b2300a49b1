//! A status that is not the wanted one.

use std::time::{Duration, SystemTime};

use hyper::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};

use crate::not_ready::{Cause, NotReady};

/// The meaning of an answer with another status than the wanted one. 429 and 503 come from an
/// overloaded server, which may name the time of its rest (RFC 6585, section 4; RFC 9110, section
/// 15.6.4).
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap) -> NotReady {
    let refusal = NotReady::new(Cause::Contrary, format!("HTTP {status}"));
    if ![StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
        return refusal;
    }
    let text = headers.get(RETRY_AFTER).map(HeaderValue::to_str).and_then(Result::ok);
    let rest = text.and_then(|text| endpoint::retry_after(text, SystemTime::now()));
    // Without the time, because each answer may name another one.
    let words = if rest.is_some_and(|rest| rest > Duration::ZERO) { "; asks for a rest (Retry-After)" } else { "" };
    NotReady { reason: refusal.reason + words, ..refusal }.overloaded(rest)
}

/// Whether the body of a 400 says that its port speaks TLS: those of Go, of nginx, of Apache and of
/// Tomcat.
pub(crate) fn wants_tls(body: &[u8]) -> bool {
    const WORDS: [&str; 4] =
        ["to an HTTPS server", "to HTTPS port", "SSL-enabled server port", "host and port requires TLS"];
    let body = String::from_utf8_lossy(body);
    WORDS.iter().any(|words| body.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(status: u16, retry_after: Option<&'static str>) -> Option<Duration> {
        let text = retry_after.map(HeaderValue::from_static);
        let headers = text.map(|text| (RETRY_AFTER, text)).into_iter().collect();
        refusal(StatusCode::from_u16(status).unwrap(), &headers).rest
    }

    #[test]
    fn an_overloaded_server_names_its_rest() {
        assert_eq!(rest(429, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(rest(503, Some("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
        assert_eq!((rest(503, None), rest(503, Some("soon"))), (Some(Duration::ZERO), Some(Duration::ZERO)));
        assert_eq!((rest(404, Some("7")), rest(500, None)), (None, None));
    }

    #[test]
    fn the_rest_stands_in_the_reason() {
        for (value, words) in [("0", ""), ("1", "; asks for a rest (Retry-After)")] {
            let headers = [(RETRY_AFTER, HeaderValue::from_static(value))].into_iter().collect();
            let refusal = refusal(StatusCode::TOO_MANY_REQUESTS, &headers);
            assert_eq!(refusal.reason, format!("HTTP 429 Too Many Requests{words}"));
        }
    }
}
