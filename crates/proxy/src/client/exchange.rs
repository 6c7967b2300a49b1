//! One request to the upstream and the head of its answer, over a kept connection or a new one, once more where that is safe.

use std::{rc::Rc, time::Instant};

use http::{Method, Request, Response, request::Parts};
use hyper::body::Incoming;
use tokio::task;

use crate::{
    client::answer_body::Lease,
    head::hop_by_hop::seen::Seen,
    refusal::Refusal,
    request_body::{BodyFate, RequestBody},
    rewrite,
    telemetry::attempt::Attempt,
    upstream::{
        Upstream,
        pool::Connection,
        retry::{self, Failed, Progress, Verdict},
    },
};

/// An attempt that brought no answer
struct Failure {
    error: hyper::Error,
    /// The request, if hyper had not begun to write it, or if its head was kept
    request: Option<Request<RequestBody>>,
    progress: Progress,
}

/// Sends a request, whose head is the upstream's by now, and waits for the head of the answer.
pub(crate) async fn send(
    upstream: &Rc<Upstream>,
    head: Parts,
    body: RequestBody,
    fate: &Rc<BodyFate>,
    mut now: Instant,
) -> Result<(Response<Incoming>, Lease, Seen), Refusal> {
    upstream.budget.borrow_mut().request(now);
    let is_repeatable = retry::is_repeatable(&head.method, &head.headers);
    if !is_repeatable {
        // It has one chance. On a yield the runtime looks at its sockets, and so learns which connections were closed.
        task::yield_now().await;
        now = Instant::now();
    }
    let begin = |method: &Method, now| Attempt::begin(upstream.counts.durations.clone(), method.clone(), now);
    let mut counted = begin(&head.method, now);
    let mut request = Request::from_parts(head, body);
    let mut was_sent = None;
    if let Some(connection) = upstream.take_idle(now, is_repeatable) {
        // A request with a body cannot be made again once the body was read.
        let is_head_wanted = is_repeatable && request.body().is_empty();
        let failure = match attempt(connection, request, is_head_wanted).await {
            Ok((response, connection)) => {
                upstream.pool.learn_kept();
                return judged(response, connection, upstream, fate, counted);
            }
            Err(failure) => failure,
        };
        if failure.progress != Progress::Answered && fate.refusal.get().is_none() {
            upstream.pool.learn_early_close();
        }
        let failed = Failed { progress: failure.progress, is_repeatable, was_reused: true };
        let is_allowed = match retry::decide(failed) {
            Verdict::Again => true,
            Verdict::AgainWithinBudget => {
                let is_within = upstream.budget.borrow_mut().retry();
                upstream.counts.denied_retries.inc_by(u64::from(!is_within));
                is_within
            }
            Verdict::GiveUp => false,
        };
        let refusal = refusal(&failure.error, failure.progress, fate);
        counted.failed(refusal);
        match failure.request {
            Some(again) if is_allowed && !fate.was_read.get() => request = again,
            _ => return Err(refusal),
        }
        was_sent = (failed.progress != Progress::Unsent).then_some(refusal);
        counted = begin(request.method(), Instant::now());
        upstream.counts.retries.inc();
        fate.retries.set(1);
    }
    let connected = match was_sent {
        // What was sent once neither waits for the app nor is told that it never reached the app.
        Some(first) => upstream.connect().await.map_err(|refusal| refusal.unless_app_down(first)),
        None => upstream.connect_or_wait().await,
    };
    let answered = match connected {
        Ok(connection) => match attempt(connection, request, false).await {
            Ok(answered) => Ok(answered),
            Err(failure) => Err(refusal(&failure.error, failure.progress, fate)),
        },
        Err(refusal) => Err(refusal),
    };
    match answered {
        Ok((response, connection)) => judged(response, connection, upstream, fate, counted),
        Err(refusal) => {
            counted.failed(refusal);
            Err(refusal)
        }
    }
}

/// Sends a request at once, and waits for the head of its answer. Keeps its own head for a second attempt, if that is wanted.
fn attempt(
    mut connection: Connection,
    request: Request<RequestBody>,
    is_head_wanted: bool,
) -> impl Future<Output = Result<(Response<Incoming>, Connection), Failure>> {
    let (sent, received) = (connection.traffic.sent.get(), connection.traffic.received.get());
    connection.traffic.begin_request(is_head_wanted);
    request.body().goes_to(&connection.traffic.reads);
    let answer = connection.sender.try_send_request(request);
    async move {
        let mut error = match answer.await {
            Ok(response) => {
                connection.traffic.end_head();
                return Ok((response, connection));
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
        let request = unsent.or_else(|| connection.traffic.sent_head.request(RequestBody::Empty));
        Err(Failure { progress, request, error: error.into_error() })
    }
}

fn judged(
    response: Response<Incoming>,
    connection: Connection,
    upstream: &Rc<Upstream>,
    fate: &Rc<BodyFate>,
    mut counted: Attempt,
) -> Result<(Response<Incoming>, Lease, Seen), Refusal> {
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
    let lease = Lease { connection, upstream: upstream.clone(), fate: fate.clone(), is_last, counted };
    Ok((Response::from_parts(head, body), lease, seen))
}

/// The client's own fault comes first, because it breaks the upstream's connection too.
fn refusal(error: &hyper::Error, progress: Progress, fate: &BodyFate) -> Refusal {
    match fate.refusal.get() {
        Some(refusal) => refusal,
        None if error.is_parse() || progress == Progress::Answered => Refusal::UpstreamBroken,
        None => Refusal::UpstreamClosed,
    }
}
