//! The answers of the listeners.

use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CONTENT_TYPE},
};

/// An answer with its whole body
pub(crate) type Answer = Response<Full<Bytes>>;

/// 405, with the methods that are allowed.
pub(crate) fn refuse_method(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed} here\n"));
    answer.headers_mut().insert(ALLOW, allowed.parse().expect("a constant"));
    answer
}

/// Plain text.
pub(crate) fn text(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, "text/plain; charset=utf-8".parse().expect("a constant"));
    answer
}
