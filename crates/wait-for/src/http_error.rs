//! The meaning of errors of the HTTP library.

use std::error::Error;

use endpoint::one_line;

use crate::not_ready::{Cause, NotReady};

/// Bytes of an answer's head that are read
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;

/// What went wrong with an exchange.
pub(crate) fn not_ready(error: &hyper::Error) -> NotReady {
    if error.is_incomplete_message() {
        return NotReady::unanswered();
    }
    if error.is_parse_too_large() {
        return NotReady::new(Cause::Odd, format!("the answer's head is over {} KiB", HEAD_LIMIT / 1024));
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = String::new();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match endpoint::Failure::from(io) {
                failure @ (endpoint::Failure::Tls(_) | endpoint::Failure::ClientCertificate(_)) => failure.into(),
                _ => std::io::Error::from(io.kind()).into(),
            };
        }
        // What follows is the server's own text (GOAWAY), which may repeat a header.
        text = inner.to_string();
        text.truncate(text.find(" (b\"").unwrap_or(text.len()));
        cause = inner.source();
    }
    NotReady::new(Cause::Odd, format!("the answer is not HTTP: {}", one_line(&text)))
}
