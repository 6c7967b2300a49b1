//! The outcome of sending a request once.

use http::{Request, Response};

use crate::{
    refusal::Refusal,
    request_body::RequestBody,
    upstream::{Way, incoming::Incoming, pump::Pumping, retry::Progress},
};

/// The head of an answer has come.
pub(super) struct Answered {
    pub(super) response: Response<Incoming>,
    pub(super) way: Way,
    /// The rest of the request's body, where HTTP/2 still sends it
    pub(super) pump: Option<Pumping>,
}

/// No answer has come.
pub(super) struct Failure {
    pub(super) refusal: Refusal,
    pub(super) progress: Progress,
    /// The request, if it can be sent once more; in a box, because it is rarely there, and every answer would have room for it
    pub(super) request: Option<Box<Request<RequestBody>>>,
}
