//! `/drain` and `/quit`, off by default.

use hyper::{Method, StatusCode};

use crate::{
    job::Control,
    listener::{Answer, refuse_method, text},
    run::Event,
};

/// Answers a request on the admin listener.
pub(crate) fn answer(control: &Control, method: &Method, path: &str) -> Answer {
    let (event, word) = match path {
        "/drain" => (Event::Drain, "draining\n"),
        "/quit" => (Event::Quit("POST /quit"), "stopping\n"),
        _ => return text(StatusCode::NOT_FOUND, "try POST /drain or POST /quit\n".into()),
    };
    if method != Method::POST {
        return refuse_method("POST");
    }
    // The receiver is gone only when the process is about to be.
    let _ = control.events.send(event);
    text(StatusCode::OK, word.into())
}
