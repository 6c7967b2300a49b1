//! `/drain` and `/quit`, off by default.

use hyper::{Method, StatusCode};

use crate::{
    answer::{Answer, refuse_method, text},
    event::Event,
};

/// Answers a request on the admin listener; the event is what it asks for.
pub(crate) fn answer(method: &Method, path: &str) -> (Answer, Option<Event>) {
    let (event, word) = match path {
        "/drain" => (Event::Drain, "draining\n"),
        "/quit" => (Event::Quit("POST /quit"), "stopping\n"),
        _ => return (text(StatusCode::NOT_FOUND, "try POST /drain or POST /quit\n".into()), None),
    };
    if method != Method::POST {
        return (refuse_method("POST"), None);
    }
    (text(StatusCode::OK, word.into()), Some(event))
}
