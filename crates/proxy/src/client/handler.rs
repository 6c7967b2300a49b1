//! A request from its head to its answer.

use std::{future::poll_fn, net::IpAddr, pin::pin, rc::Rc, task::Poll, time::Instant};

use http::{
    HeaderValue, Request, Response, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    response,
};
use hyper::body::{Bytes, Incoming};
use tokio::time;

use crate::{
    access_log::line::Entry,
    client::{
        answer_body::{AnswerBody, Lease},
        client_io::ClientState,
        exchange,
        record::Record,
    },
    context::{Context, Current},
    head::{forwarded::Forwarded, hop_by_hop::seen::Seen, request_head},
    refusal::{PROXY_STATUS, Refusal, fault::Fault},
    request_body::{BodyFate, RequestBody, pace::Pace},
    rewrite,
    telemetry::Limit,
};

/// `Proxy-Status` of an OPTIONS request that ends here
const LAST_HOP: HeaderValue = HeaderValue::from_static("sidekit-proxy; details=\"max-forwards\"");
/// Seconds after which a client that met a limit may come again
const COME_AGAIN: HeaderValue = HeaderValue::from_static("1");
/// Methods that the proxy itself knows, for an OPTIONS request that is not to go on
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");

/// The requests of one client's connection
pub(crate) struct Handler {
    pub(crate) current: Rc<Current>,
    pub(crate) client: Rc<ClientState>,
    pub(crate) forwarded: Forwarded,
    pub(crate) peer: IpAddr,
    /// Each request in flight holds a clone
    pub(crate) requests: Rc<()>,
}

/// An upstream's answer
struct Answered {
    head: response::Parts,
    body: Incoming,
    lease: Lease,
}

/// Why a request has no answer of an upstream
enum Instead {
    Refusal(Refusal),
    /// An OPTIONS request that ends here
    Options,
}

impl From<Refusal> for Instead {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Handler {
    /// Whether nothing of a request or an answer is under way.
    pub(crate) fn is_idle(&self) -> bool {
        Rc::strong_count(&self.requests) == 1 && !self.client.is_blocked.get() && !self.client.raw_head.has_begun()
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let begun = Instant::now();
        let context = self.current.get();
        let entry = context.access_log.as_ref().map(|_| Box::new(Entry::new(self.peer, &request)));
        let method = request.method().clone();
        let mut record =
            Record::begin(context.clone(), self.client.clone(), self.requests.clone(), begun, method, entry);
        let is_1_0 = request.version() == Version::HTTP_10;
        let fate = Rc::new(BodyFate::default());
        fate.has_ended.set(hyper::body::Body::is_end_stream(request.body()));
        let forwarded = self.forward(&context, request, &mut record, begun, &fate).await;
        record.retried(fate.retries.get());
        if fate.refusal.get() == Some(Refusal::SlowBody) {
            context.telemetry.met(Limit::BodyRate);
        }
        let mut response = match forwarded {
            Ok(Answered { head, body, lease }) => {
                record.answered(head.status, None);
                Response::from_parts(head, AnswerBody::upstream(body, lease, record))
            }
            Err(Instead::Options) => {
                record.answered(StatusCode::NO_CONTENT, None);
                let mut response = Response::new(AnswerBody::empty(record));
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(ALLOW, ALLOWED);
                response.headers_mut().insert(PROXY_STATUS, LAST_HOP);
                response
            }
            // It reads no answer, and the record says by itself that the client has gone.
            Err(Instead::Refusal(_)) if fate.is_client_gone.get() => {
                let mut response = Response::new(AnswerBody::empty(record));
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
            Err(Instead::Refusal(refusal)) => Self::refuse(&context, refusal, record),
        };
        let is_own = response.body().is_own();
        if is_own && (!fate.has_ended.get() || context.is_draining.get()) {
            // hyper closes a connection over which a body is still to come.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if is_1_0 && response.headers().contains_key(CONNECTION) {
            // hyper would write `close, keep-alive` into an answer of a newer version.
            *response.version_mut() = Version::HTTP_10;
        }
        response
    }

    async fn forward(
        &self,
        context: &Context,
        request: Request<Incoming>,
        record: &mut Record,
        begun: Instant,
        fate: &Rc<BodyFate>,
    ) -> Result<Answered, Instead> {
        let Context { plan, limits, .. } = context;
        let deadline = (!limits.request_timeout.is_zero()).then(|| time::Instant::from(begun + limits.request_timeout));
        self.client.deadline.set(deadline);
        self.client.is_late.set(false);
        let (mut head, body) = request.into_parts();
        let is_1_0 = head.version == Version::HTTP_10;
        self.client.raw_head.judge(&head.headers)?;
        request_head::complete(&mut head);
        let seen = Seen::of(&head.headers);
        request_head::judge(&head, seen)?;
        let index = plan.routes.find(&head.uri, &head.headers)?;
        let route = &plan.routes.all()[index];
        record.routed(index);
        record.admitted(context.admit()?);
        if !rewrite::may_go_on(&head.method, &mut head.headers) {
            return Err(Instead::Options);
        }
        let longest = if limits.max_body == 0 { u64::MAX } else { limits.max_body };
        if hyper::body::Body::size_hint(&body).lower() > longest {
            return Err(Refusal::BodyTooLarge.into());
        }
        let (url, upstream) = &context.upstreams[route.upstream];
        rewrite::to_upstream(&mut head, plan, &self.forwarded, route, url, &context.traces, seen);
        if let Some(login) = &route.login {
            login.apply(&mut head.headers)?;
        }
        record.forwarded(&head.headers);
        let pace = Pace::at_least(limits.min_body_rate);
        let body = RequestBody::of(body, fate.clone(), longest, pace, self.requests.clone());
        let mut sending = pin!(exchange::send(upstream, head, body, fate, begun));
        let sent = poll_fn(|task| match sending.as_mut().poll(task) {
            Poll::Pending if self.client.is_late.get() && fate.is_awaited.get() => {
                context.telemetry.met(Limit::RequestTimeout);
                Poll::Ready(Err(Refusal::SlowBody))
            }
            Poll::Pending if self.client.is_late.get() => Poll::Ready(Err(Refusal::UpstreamSilent)),
            polled => polled,
        });
        let (response, lease, seen) = sent.await?;
        let (mut head, body) = response.into_parts();
        // To HTTP/1.0, the end of the connection is the end of a body without a length.
        let ends_connection = is_1_0 && hyper::body::Body::size_hint(&body).exact().is_none();
        rewrite::to_client(&mut head, route, ends_connection || context.is_draining.get(), seen);
        if seen.has(Seen::CONTENT_TYPE) && rewrite::is_endless(&head) {
            self.client.deadline.set(None);
        }
        Ok(Answered { head, body, lease })
    }

    /// An answer of the proxy's own. What a client did wrong ends its connection, because more of its bytes may be wrong.
    fn refuse(context: &Context, refusal: Refusal, mut record: Record) -> Response<AnswerBody> {
        let status = refusal.status();
        record.answered(status, Some(Fault::Refused(refusal)));
        context.telemetry.refused(refusal);
        let mut response = Response::new(AnswerBody::own(Bytes::from(refusal.text()), record));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(PROXY_STATUS, HeaderValue::try_from(refusal.proxy_status()).expect("names are ASCII"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, COME_AGAIN);
        }
        let is_clients_fault = status.is_client_error() && status != StatusCode::NOT_FOUND;
        let must_end = match refusal {
            // A connection takes memory too.
            Refusal::Memory => true,
            // The listener may hear of the stop later than the request that waited.
            Refusal::AppDown => context.apps.is_stopping(),
            _ => is_clients_fault,
        };
        if must_end {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
