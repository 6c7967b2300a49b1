//! A request over a connection of its own.

use futures_util::FutureExt;
use http::Request;

use super::attempt::{Answered, Failure};
use crate::{
    refusal::Refusal,
    request_body::RequestBody,
    upstream::{Upstream, Way, incoming::Incoming, pool::Connection, retry::Progress},
};

/// Sends a request at once, and waits for the head of its answer. Keeps its own head for a second attempt, if that is wanted.
pub(super) fn attempt(
    upstream: &Upstream,
    mut connection: Connection,
    request: Request<RequestBody>,
    is_head_wanted: bool,
) -> impl Future<Output = Result<Answered, Failure>> {
    let (sent, received) = (connection.traffic.sent.get(), connection.traffic.received.get());
    connection.traffic.begin_request(is_head_wanted);
    request.body().goes_to(&connection.traffic.reads);
    connection.sender.try_send_request(request).map(move |answer| {
        let mut error = match answer {
            Ok(response) => {
                connection.traffic.end_head();
                let response = response.map(Incoming::Http1);
                return Ok(Answered { response, way: Way::Http1(connection), pump: None });
            }
            Err(error) => error,
        };
        let unsent = error.take_message();
        let progress = if connection.traffic.received.get() > received {
            Progress::Answered
        } else if unsent.is_some() || connection.traffic.sent.get() == sent {
            Progress::Unsent
        } else {
            Progress::Sent
        };
        // The request, if hyper had not begun to write it, or if its head was kept
        let request = unsent.or_else(|| connection.traffic.sent_head.request(RequestBody::Empty));
        let is_broken = error.into_error().is_parse() || progress == Progress::Answered;
        let refusal = if is_broken { Refusal::UpstreamBroken } else { Refusal::UpstreamClosed };
        let refusal = upstream.refusal_of(&connection.traffic, refusal);
        Err(Failure { refusal, progress, request: request.map(Box::new) })
    })
}
