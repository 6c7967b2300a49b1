//! The meaning of errors of the HTTP library.

use std::{error::Error, io};

use endpoint::{Failure, one_line};
use h2::Reason;

use crate::not_ready::{Cause, NotReady};

/// Bytes of an answer's head that are read
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;
/// Headers of an answer that are read, as many as the HTTP library takes by default
pub(crate) const HEADERS_LIMIT: usize = 100;

/// What went wrong with an exchange.
pub(crate) fn not_ready(error: &hyper::Error) -> NotReady {
    if error.is_parse_too_large() {
        let limits = format!("{} KiB, or has more than {HEADERS_LIMIT} headers", HEAD_LIMIT / 1024);
        return NotReady::new(Cause::Odd, format!("the answer's head is over {limits}"));
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = String::new();
    while let Some(inner) = cause {
        // The end of the connection, seen before the request was begun
        if inner.downcast_ref().is_some_and(hyper::Error::is_incomplete_message) {
            return NotReady::unanswered();
        }
        if let Some(refusal) = inner.downcast_ref().and_then(of_http2) {
            return refusal;
        }
        if let Some(error) = inner.downcast_ref() {
            return of_io(error);
        }
        // What follows is the server's own text (GOAWAY), which may repeat a header.
        text = inner.to_string();
        text.truncate(text.find(" (b\"").unwrap_or(text.len()));
        cause = inner.source();
    }
    not_http(&text)
}

fn not_http(why: &str) -> NotReady {
    NotReady::new(Cause::Odd, format!("the answer is not HTTP: {}", one_line(why)))
}

fn of_io(error: &io::Error) -> NotReady {
    match Failure::from(error) {
        failure @ (Failure::Tls(_) | Failure::ClientCertificate(_)) => failure.into(),
        // The library's own words about the framing of a body; behind a colon the server's may stand.
        Failure::Io { kind: io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData, text } => {
            not_http(&text.split(':').next().unwrap_or_default().to_lowercase())
        }
        _ => io::Error::from(error.kind()).into(),
    }
}

/// A word of the server that ends its answer (RFC 9113, section 7), or the end of the connection;
/// `None` for a fault that the library has found in the answer.
fn of_http2(error: &h2::Error) -> Option<NotReady> {
    if let Some(error) = error.get_io() {
        return Some(of_io(error));
    }
    let reason = error.reason().filter(|_| error.is_remote())?;
    Some(match reason {
        Reason::ENHANCE_YOUR_CALM => NotReady::full("the server asks for fewer requests (HTTP/2 ENHANCE_YOUR_CALM)"),
        Reason::REFUSED_STREAM => NotReady::new(Cause::Busy, "the server takes no request now (HTTP/2 REFUSED_STREAM)"),
        Reason::NO_ERROR => {
            NotReady::new(Cause::Busy, "the server ends the connection before its answer is whole (HTTP/2 NO_ERROR)")
        }
        Reason::HTTP_1_1_REQUIRED => {
            NotReady::new(Cause::Odd, "the server answers this by HTTP/1.1 alone: leave http2 out")
        }
        reason => NotReady::new(Cause::Odd, format!("the server breaks its answer off (HTTP/2 {reason:?})")),
    })
}
