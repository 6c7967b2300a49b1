//! A request over a connection that others use at the same time.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use h2::{Reason, RecvStream, client::ResponseFuture};
use http::{Request, Response};

use super::attempt::{Answered, Failure};
use crate::{
    head::field_section,
    refusal::Refusal,
    request_body::RequestBody,
    rewrite,
    upstream::{
        HEAD_LIMIT, Upstream, Way, blocks::TOO_LONG, incoming::Incoming, pump::Pump, retry::Progress, shared::Place,
    },
};

/// Interim answers (1xx) to one request; more are no way to an answer.
const MOST_INTERIM: u32 = 100;

/// Why there is no answer
enum NoAnswer {
    Error(h2::Error),
    TooManyInterim,
    HeadTooLarge,
}

/// Sends a request at once, and waits for the head of its answer, while the body is sent.
pub(super) async fn attempt(
    upstream: &Upstream,
    place: Place,
    request: Request<RequestBody>,
) -> Result<Answered, Failure> {
    let (head, body) = request.into_parts();
    // An upstream that goes away, or refuses the stream, has often been sent all of a short body by then.
    body.keep();
    let sent = place.traffic().sent.get();
    let is_empty = body.is_empty();
    let own = rewrite::http2::head(&head, upstream.url.tls.is_some(), &upstream.url.authority);
    let (mut answer, stream) = match place.sender().send_request(own, is_empty) {
        Ok(begun) => begun,
        // The connection is about to end, and has taken nothing.
        Err(error) if error.is_go_away() || error.is_io() => {
            let request = Some(Box::new(Request::from_parts(head, body)));
            return Err(Failure { refusal: Refusal::UpstreamClosed, progress: Progress::Unprocessed, request });
        }
        Err(_) => {
            return Err(Failure { refusal: Refusal::UpstreamBroken, progress: Progress::Answered, request: None });
        }
    };
    let mut pump = (!is_empty).then(|| Pump::new(stream, body));
    let mut interim = 0;
    let answered = poll_fn(|context| {
        loop {
            if let Poll::Ready(answered) = poll_answer(&mut answer, &mut interim, context) {
                return Poll::Ready(answered);
            }
            // A body that was given up has reset the stream, which is an answer.
            let has_ended = pump.as_mut().is_some_and(|pump| !pump.is_over() && pump.poll(context).is_ready());
            if !has_ended {
                return Poll::Pending;
            }
        }
    });
    match answered.await {
        Ok(response) => {
            let pump = pump.filter(|pump| !pump.is_over()).map(Pump::spawn);
            let (head, stream) = response.into_parts();
            let body = Incoming::http2(head.status, &head.headers, stream);
            Ok(Answered { response: Response::from_parts(head, body), way: Way::Http2(place), pump })
        }
        Err(error) => {
            let (progress, refusal) = judge(&error, place.traffic().sent.get() == sent);
            let refusal = upstream.refusal_of(place.traffic(), refusal);
            let is_unprocessed = matches!(progress, Progress::Unprocessed | Progress::Refused);
            let body = pump.map_or(Some(RequestBody::Empty), |pump| pump.again(is_unprocessed));
            Err(Failure { refusal, progress, request: body.map(|body| Box::new(Request::from_parts(head, body))) })
        }
    }
}

fn poll_answer(
    answer: &mut ResponseFuture,
    interim: &mut u32,
    context: &mut Context,
) -> Poll<Result<Response<RecvStream>, NoAnswer>> {
    while let Poll::Ready(Some(Ok(_))) = answer.poll_informational(context) {
        *interim += 1;
        if *interim > MOST_INTERIM {
            return Poll::Ready(Err(NoAnswer::TooManyInterim));
        }
    }
    let answered = ready!(Pin::new(answer).poll(context)).map_err(NoAnswer::Error)?;
    let is_head_too_large = field_section::size(answered.headers()) > HEAD_LIMIT;
    Poll::Ready(if is_head_too_large { Err(NoAnswer::HeadTooLarge) } else { Ok(answered) })
}

/// How far a request came, by the error that it has met.
fn judge(error: &NoAnswer, is_unsent: bool) -> (Progress, Refusal) {
    let NoAnswer::Error(error) = error else { return (Progress::Answered, Refusal::UpstreamBroken) };
    let progress = match error.reason() {
        // h2 ends only streams behind the last one that the upstream names (RFC 9113, section 6.8).
        Some(_) if error.is_remote() && error.is_go_away() => Progress::Unprocessed,
        Some(Reason::REFUSED_STREAM) if error.is_remote() => Progress::Refused,
        None if error.get_io().is_some_and(|error| error.kind() == TOO_LONG) => {
            return (Progress::Answered, Refusal::UpstreamBroken);
        }
        None if error.is_io() => {
            if is_unsent {
                Progress::Unsent
            } else {
                Progress::Sent
            }
        }
        _ => Progress::Answered,
    };
    let is_ours = error.is_library() || !(error.is_io() || error.is_remote());
    (progress, if is_ours { Refusal::UpstreamBroken } else { Refusal::UpstreamClosed })
}
