//! One request to the upstream and the head of its answer, over a kept connection or a new one, once more where that is safe.

mod attempt;
mod over_http1;
mod over_http2;

use std::{rc::Rc, time::Instant};

use futures_util::future::Either;
use http::{Request, Response, request::Parts};
use hyper::body;
use tokio::{task, time};

use self::attempt::{Answered, Failure};
use crate::{
    client::answer_body::Lease,
    grpc::call::Deadline,
    head::hop_by_hop::seen::Seen,
    refusal::Refusal,
    request_body::{BodyFate, RequestBody},
    rewrite,
    telemetry::attempt::Attempt,
    upstream::{
        Upstream, Way,
        incoming::Incoming,
        pool::Connection,
        retry::{self, Failed, Progress, Verdict},
    },
};

/// How often a request is sent again while the upstream says that it has not processed it. nginx ends a connection after a number of
/// requests, and all at a reload. Where 200 requests at a time share connections that take 20 each, one request in ten thousand meets
/// 64 such ends in a row, and each six more halve that.
const MOST_RETRIES: u32 = 512;
/// How often of these the upstream may have answered no request at all since the last time
const MOST_FRUITLESS: u32 = 5;

/// Sends a request, whose head is the upstream's by now, and waits for the head of the answer. A call of gRPC has a deadline.
///
/// The future is a block, because an `async fn` would hold the head twice: as an argument and as a variable.
pub(crate) fn send(
    upstream: &Rc<Upstream>,
    head: Parts,
    body: RequestBody,
    fate: &Rc<BodyFate>,
    begun: Instant,
    call: Option<Deadline>,
) -> impl Future<Output = Result<(Response<Incoming>, Lease, Seen), Refusal>> {
    upstream.budget.borrow_mut().request(begun);
    let is_repeatable = retry::is_repeatable(&head.method, &head.headers);
    async move {
        let mut now = begun;
        if !is_repeatable {
            // It has one chance. On a yield the runtime looks at its sockets, and so learns which connections were closed.
            task::yield_now().await;
            now = Instant::now();
        }
        let mut counted = Attempt::begin(upstream.counts.durations.clone(), head.method.clone(), now);
        let way = match upstream.take_kept(now, is_repeatable, call.is_some()) {
            Some(way) => Ok(way),
            None if call.is_some() && !upstream.may_agree_on_http2(now) => Err(Refusal::GrpcNeedsHttp2),
            // In boxes, because few requests need a new connection, and all of them would have room for it.
            None => Box::pin(upstream.connect_or_wait()).await,
        };
        let way = fit(way, call).inspect_err(|refusal| counted.failed(*refusal))?;
        let was_reused = way.is_reused();
        let request = Request::from_parts(head, body);
        let failure = match attempt(upstream, way, request, was_reused && is_repeatable, call).await {
            Ok(answered) => {
                if was_reused {
                    upstream.pool.learn_kept();
                }
                release(fate, call);
                return judged(answered, upstream, fate, counted);
            }
            Err(failure) => failure,
        };
        let first = First { failure, is_repeatable, was_reused, call };
        // In a box too: few requests fail.
        Box::pin(send_again(upstream, first, fate, counted)).await
    }
}

/// A request whose first attempt has failed
struct First {
    failure: Failure,
    is_repeatable: bool,
    was_reused: bool,
    call: Option<Deadline>,
}

/// Sends a request once more where that is safe, and again while connections end that have not processed it: each of those that it
/// shares with others may end, as at a reload of the upstream.
async fn send_again(
    upstream: &Rc<Upstream>,
    First { mut failure, is_repeatable, mut was_reused, call }: First,
    fate: &Rc<BodyFate>,
    mut counted: Attempt,
) -> Result<(Response<Incoming>, Lease, Seen), Refusal> {
    let (mut retries, mut fruitless, mut answers) = (0, 0, upstream.answers.get());
    loop {
        let refusal = refusal(&failure, fate);
        counted.failed(refusal);
        let is_final = retries > 0 && failure.progress != Progress::Unprocessed;
        if is_final || retries >= MOST_RETRIES || fruitless >= MOST_FRUITLESS {
            return Err(refusal);
        }
        retries += 1;
        let before = std::mem::replace(&mut answers, upstream.answers.get());
        fruitless = if answers > before { 0 } else { fruitless + 1 };
        let is_sent = ![Progress::Unsent, Progress::Unprocessed, Progress::Refused].contains(&failure.progress);
        let again = again(upstream, failure, fate, is_repeatable, was_reused).ok_or(refusal)?;
        counted = Attempt::begin(upstream.counts.durations.clone(), again.method().clone(), Instant::now());
        upstream.counts.retries.inc();
        fate.retries.set(retries);
        let connected = if is_sent {
            // A request that was sent once neither waits for the app nor gets the answer that it
            // never reached the app.
            upstream.connect().await.map_err(|second| second.unless_app_down(refusal))
        } else {
            upstream.connect_or_wait().await
        };
        let way = fit(connected, call).inspect_err(|refusal| counted.failed(*refusal))?;
        was_reused = way.is_reused();
        failure = match attempt(upstream, way, again, false, call).await {
            Ok(answered) => {
                release(fate, call);
                return judged(answered, upstream, fate, counted);
            }
            Err(failure) => failure,
        };
    }
}

/// The request, if it may be sent once more.
fn again(
    upstream: &Upstream,
    failure: Failure,
    fate: &BodyFate,
    is_repeatable: bool,
    was_reused: bool,
) -> Option<Request<RequestBody>> {
    let progress = failure.progress;
    let is_early_close = matches!(progress, Progress::Unsent | Progress::Sent);
    if was_reused && is_early_close && fate.refusal.get().is_none() {
        upstream.pool.learn_early_close();
    }
    let is_allowed = match retry::decide(Failed { progress, is_repeatable, was_reused }) {
        Verdict::Again => true,
        Verdict::AgainWithinBudget => {
            let is_within = upstream.budget.borrow_mut().retry();
            upstream.counts.denied_retries.inc_by(u64::from(!is_within));
            is_within
        }
        Verdict::GiveUp => false,
    };
    // A request with a body cannot be made again once the body was read, unless all of it was kept.
    failure.request.map(|request| *request).filter(|_| is_allowed && !fate.was_read.get())
}

/// The way, if the request can take it: a call of gRPC needs HTTP/2. A new connection of HTTP/1.1
/// closes, because in the pool it would take the place of one that requests use.
fn fit(way: Result<Way, Refusal>, call: Option<Deadline>) -> Result<Way, Refusal> {
    match way? {
        Way::Http1(_) if call.is_some() => Err(Refusal::GrpcNeedsHttp2),
        way => Ok(way),
    }
}

/// Sends a request at once, and waits for the head of its answer. HTTP/1.1 keeps the head for a second attempt, if that is wanted.
fn attempt(
    upstream: &Upstream,
    way: Way,
    mut request: Request<RequestBody>,
    is_head_wanted: bool,
    call: Option<Deadline>,
) -> impl Future<Output = Result<Answered, Failure>> {
    if let Some(deadline) = call {
        deadline.tell(request.headers_mut(), time::Instant::now());
    }
    match way {
        Way::Http1(connection) => {
            let is_head_wanted = is_head_wanted && request.body().is_empty();
            Either::Left(over_http1::attempt(upstream, connection, request, is_head_wanted))
        }
        // In a box, so that requests over HTTP/1.1 have no room for it.
        Way::Http2(place) => Either::Right(Box::pin(over_http2::attempt(upstream, place, request))),
    }
}

/// An answer has come: lets go of the body, which only a call of gRPC may still need, for a retry by its status.
fn release(fate: &BodyFate, call: Option<Deadline>) {
    if call.is_none() {
        fate.kept.give_up();
    }
}

/// The answer over a connection of its own to a request that asked for another protocol, if it may go on
pub(super) fn judged_unchanged(
    response: Response<body::Incoming>,
    connection: Connection,
    upstream: &Rc<Upstream>,
    fate: &Rc<BodyFate>,
    counted: Attempt,
) -> Result<(Response<Incoming>, Lease, Seen), Refusal> {
    let answered = Answered { response: response.map(Incoming::Http1), way: Way::Http1(connection), pump: None };
    judged(answered, upstream, fate, counted)
}

fn judged(
    Answered { response, way, pump }: Answered,
    upstream: &Rc<Upstream>,
    fate: &Rc<BodyFate>,
    mut counted: Attempt,
) -> Result<(Response<Incoming>, Lease, Seen), Refusal> {
    upstream.has_answered(way.traffic().is_first_answer());
    let (mut head, body) = response.into_parts();
    counted.answered(head.status);
    let seen = Seen::of(&head.headers);
    if let Err(refusal) = rewrite::judge_answer(&mut head, seen) {
        counted.failed(refusal);
        return Err(refusal);
    }
    if seen.has(Seen::KEEP_ALIVE)
        && let Some(timeout) = rewrite::announced_timeout(&head.headers)
    {
        upstream.pool.learn_announced(timeout);
    }
    let is_last = rewrite::is_last(&head, seen);
    let lease = Lease { way, pump, upstream: upstream.clone(), fate: fate.clone(), is_last, counted };
    Ok((Response::from_parts(head, body), lease, seen))
}

/// The client's own fault comes first, because it breaks the upstream's connection too.
fn refusal(failure: &Failure, fate: &BodyFate) -> Refusal {
    fate.refusal.get().unwrap_or(failure.refusal)
}
