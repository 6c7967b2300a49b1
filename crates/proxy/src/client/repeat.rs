//! A call of gRPC to the upstream, and once more where the upstream has ended it with UNAVAILABLE
//! and one side has said that it may be made twice: the client, the operator or the upstream
//! itself.

use std::{rc::Rc, time::Instant};

use http::{Response, request::Parts};
use hyper::body::{Body, Bytes};
use tokio::time;

use crate::{
    client::{answer_body::Lease, exchange},
    grpc::{
        call::Deadline,
        retry::{self, Ended, Pushback},
        status::Status,
    },
    head::hop_by_hop::seen::Seen,
    refusal::Refusal,
    request_body::{BodyFate, RequestBody},
    upstream::{self, Upstream, incoming::Incoming},
};

/// The head of an answer, as `exchange::send` gives it
type Answered = (Response<Incoming>, Lease, Seen);

/// The word of a call's head about a second attempt
#[derive(Clone, Copy)]
struct Terms {
    is_repeatable: bool,
    previous: u32,
    deadline: Deadline,
}

/// Makes a call, whose head is the upstream's by now, and waits for the head of the answer.
pub(crate) async fn send(
    upstream: &Rc<Upstream>,
    head: Parts,
    body: RequestBody,
    fate: &Rc<BodyFate>,
    begun: Instant,
    deadline: Deadline,
) -> Result<Answered, Refusal> {
    let may_be_repeated = upstream.url.repeats_unavailable;
    let is_repeatable = may_be_repeated || upstream::retry::is_repeatable(&head.method, &head.headers);
    let terms = Terms { is_repeatable, previous: retry::previous_attempts(&head.headers), deadline };
    fate.kept.begin();
    let mut again = head.clone();
    let answered = exchange::send(upstream, head, body, fate, begun, Some(deadline)).await?;
    let Some(body) = wait_for_repeat(&answered, upstream, fate, terms).await else {
        fate.kept.give_up();
        return Ok(answered);
    };
    let (_, lease, _) = answered;
    lease.end();
    let retries = fate.retries.replace(0) + 1;
    fate.kept.give_up();
    // The body that is sent now is whole, so it may go again itself.
    fate.was_read.set(false);
    upstream.counts.retries.inc();
    retry::count_attempt(&mut again.headers, terms.previous);
    let body = RequestBody::kept(body);
    // In a box, because few calls are made twice.
    let answered = Box::pin(exchange::send(upstream, again, body, fate, Instant::now(), Some(deadline))).await;
    fate.retries.update(|again| again + retries);
    answered
}

/// Decides on a second attempt, and waits until it is time for it: the messages of the call, or nothing if the answer is the last word.
async fn wait_for_repeat(
    (response, _, _): &Answered,
    upstream: &Upstream,
    fate: &BodyFate,
    terms: Terms,
) -> Option<Bytes> {
    // The head of an answer that goes on may have come from an app that has begun to work.
    if !response.body().is_end_stream() || !fate.has_ended.get() {
        return None;
    }
    let Terms { is_repeatable, previous, deadline } = terms;
    let (status, pushback) = (Status::of(response.headers()), Pushback::of(response.headers()));
    let wait = retry::decide(Ended { status, pushback, is_repeatable, previous }, fastrand::f64())?;
    if deadline.is_over(time::Instant::now() + wait) {
        return None;
    }
    let body = fate.kept.all()?;
    if !upstream.budget.borrow_mut().retry() {
        upstream.counts.denied_retries.inc();
        return None;
    }
    time::sleep(wait).await;
    Some(body)
}
