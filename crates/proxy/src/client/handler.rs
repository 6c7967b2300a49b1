//! A request from its head to its answer.
//!
//! Long because all kinds of requests part here: plain ones, calls of gRPC, wishes for another protocol.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::Instant,
};

use http::{
    HeaderValue, Request, Response, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING},
    request, response,
};
use hyper::{
    body::{Bytes, Incoming},
    upgrade::OnUpgrade,
};
use tokio::time;

use crate::{
    access_log::line::Entry,
    client::{
        answer_body::{AnswerBody, Lease},
        client_io::ClientState,
        drain::Drain,
        exchange,
        record::Record,
        repeat,
        standing::Standing,
        upgrade::{self, Opened, Opening, Told},
    },
    context::{Context, Current},
    grpc::{self, answer, call::Call, status::Status},
    head::{forwarded::Forwarded, hop_by_hop::seen::Seen, request_head, upgrade::Upgrade},
    limits::{
        Limits,
        room::{STREAM, STREAM_WINDOW},
    },
    peer::Peer,
    refusal::{PROXY_STATUS, Refusal, fault::Fault},
    request_body::{BodyFate, Longest, RequestBody, pace::Pace},
    rewrite,
    route::Route,
    telemetry::Limit,
    tls::Session,
    upstream::{Upstream, incoming},
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
    pub(crate) peer: Peer,
    /// The TLS of the connection, if it has any
    pub(crate) session: Option<Rc<Session>>,
    /// Each request in flight holds a clone
    pub(crate) requests: Rc<()>,
    pub(crate) drain: Drain,
    /// The tunnel that the connection becomes with the answer under way
    pub(crate) opened: RefCell<Option<Box<Opened>>>,
}

/// An upstream's answer
struct Answered {
    head: response::Parts,
    body: incoming::Incoming,
    lease: Lease,
    /// Of gRPC
    call: Option<Call>,
    /// Whether it may last for ever
    is_endless: bool,
}

/// A request that goes on to its upstream, with a head that is made for it
struct Sent<'a> {
    upstream: &'a Rc<Upstream>,
    route: &'a Route,
    head: request::Parts,
    begun: Instant,
}

/// The outcome of a request in place of an upstream's answer and its body
enum Instead {
    Refusal(Refusal),
    /// A tunnel, over the client's connection or over this stream of it
    Tunnel(Box<(response::Parts, Opening, Option<OnUpgrade>)>),
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
        !self.has_requests() && !self.client.is_blocked.get() && !self.client.raw_head.has_begun()
    }

    /// Whether a request, or its body on its way to the upstream, is under way
    pub(crate) fn has_requests(&self) -> bool {
        Rc::strong_count(&self.requests) > 1
    }

    /// Whether the connection ends with its next answer: in a drain, or because a new one has to prove something else by now, for
    /// example a certificate of another authority.
    pub(crate) fn sends_away(&self, context: &Context) -> bool {
        context.is_draining.get() || Standing::is_lost(self.session.as_deref(), context)
    }

    /// The standing of the client, for what lasts
    fn standing(&self) -> Standing {
        Standing::new(self.session.clone(), &self.current)
    }

    /// Answers a request, also where no upstream does.
    pub(crate) async fn answer(&self, client: &Rc<ClientState>, request: Request<Incoming>) -> Response<AnswerBody> {
        let begun = Instant::now();
        let context = self.current.get();
        context.telemetry.asked(request.version());
        let entry =
            context.access_log.as_ref().map(|_| Box::new(Entry::new(self.peer, self.session.clone(), &request)));
        let method = request.method().clone();
        let mut record = Record::begin(context.clone(), client.clone(), self.requests.clone(), begun, method, entry);
        let is_1_0 = request.version() == Version::HTTP_10;
        if grpc::is_call(&request) {
            record.called(Status::None);
        }
        let fate = Rc::new(BodyFate::default());
        if hyper::body::Body::is_end_stream(request.body()) {
            fate.has_ended.set(true);
            fate.ended.set(Some(begun.into()));
        }
        let forwarded = self.forward(&context, client, request, &mut record, begun, &fate).await;
        record.retried(fate.retries.get());
        if fate.refusal.get() == Some(Refusal::SlowBody) {
            context.telemetry.met(Limit::BodyRate);
        }
        let mut response = match forwarded {
            Ok(Answered { head, body, lease, call, is_endless }) => {
                record.answered(head.status, None);
                if call.is_some() && hyper::body::Body::is_end_stream(&body) {
                    record.called(Status::of(&head.headers));
                }
                let is_leaving = is_endless && rewrite::ends_between_events(&head);
                let body = AnswerBody::upstream(body, lease, record, call);
                let body =
                    if is_leaving { body.leaving(self.drain.clone().turn(self.standing().lost())) } else { body };
                Response::from_parts(head, body)
            }
            Err(Instead::Tunnel(tunnel)) => {
                let (head, opening, stream) = *tunnel;
                record.changed(head.status);
                let opened = Opened::new(opening, context, self.drain.clone(), self.standing(), record);
                match stream {
                    Some(stream) => opened.run_on(stream),
                    None => *self.opened.borrow_mut() = Some(Box::new(opened)),
                }
                return Response::from_parts(head, AnswerBody::before_tunnel());
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
            Err(Instead::Refusal(refusal)) if record.is_call() => Self::refuse_call(&context, refusal, record),
            Err(Instead::Refusal(refusal)) => Self::refuse(&context, refusal, record),
        };
        let is_own = response.body().is_own();
        if is_own && (!fate.has_ended.get() || self.sends_away(&context)) || client.must_end.get() {
            // hyper closes a connection over which a body is still to come. Behind a wish for another protocol, bytes of that one may come.
            rewrite::close(response.headers_mut());
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
        client: &ClientState,
        request: Request<Incoming>,
        record: &mut Record,
        begun: Instant,
        fate: &Rc<BodyFate>,
    ) -> Result<Answered, Instead> {
        let Context { plan, limits, .. } = context;
        let timeout = (!limits.request_timeout.is_zero()).then_some(limits.request_timeout);
        let deadline = timeout.filter(|_| !record.is_call()).map(|time| time::Instant::from(begun + time));
        client.deadline.set(deadline);
        client.is_late.set(false);
        let (mut head, body) = request.into_parts();
        let is_1_0 = head.version == Version::HTTP_10;
        let is_2 = head.version == Version::HTTP_2;
        let seen = judge_form(client, &mut head, limits)?;
        let stream = head.extensions.remove::<OnUpgrade>();
        let connect = Upgrade::of_connect(&mut head, upgrade::random)?;
        request_head::judge(&head, seen)?;
        let call = record.is_call().then(|| {
            let life = context.life.clone();
            let ending = async move { life.deadline_near().await };
            Call::begin(&head.headers, begun.into(), timeout, ending)
        });
        let call = call.transpose()?;
        let index = plan.routes.find(&head.uri, &head.headers)?;
        let route = &plan.routes.all()[index];
        record.routed(index);
        // Of a body over HTTP/2, a window may have come that is not read yet.
        let of_body = if is_2 && !fate.has_ended.get() { STREAM_WINDOW } else { 0 };
        let of_stream = if is_2 { STREAM } else { 0 };
        record.admitted(context.admit((of_stream + of_body).into())?);
        if !rewrite::may_go_on(&head.method, &mut head.headers) {
            return Err(Instead::Options);
        }
        let longest = Longest::of(limits);
        if call.is_none() && hyper::body::Body::size_hint(&body).lower() > longest.body {
            return Err(Refusal::BodyTooLarge.into());
        }
        let (url, upstream) = &context.upstreams[route.upstream];
        if call.is_some() && !url.may_speak_http2() {
            return Err(Refusal::GrpcNeedsHttp2.into());
        }
        let wish = if call.is_some() { None } else { upgrade::wish(connect, &head, seen, !fate.has_ended.get(), url)? };
        rewrite::to_upstream(&mut head, plan, &self.forwarded, route, url, &context.traces, seen);
        if is_2 && !fate.has_ended.get() && !seen.has(Seen::CONTENT_LENGTH) {
            // As with HTTP/1, hyper sends no body of unknown length with GET and HEAD otherwise.
            head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if let Some(login) = &route.login {
            login.apply(&mut head.headers)?;
        }
        record.forwarded(&head.headers);
        if let Some(wish) = wish {
            let sent = Sent { upstream, route, head, begun };
            // In a box, as calls below: most requests are neither, and would have room for both.
            return Box::pin(Self::change(context, client, sent, fate, &wish, stream)).await;
        }
        let (sent, call) = if let Some(call) = call {
            let body = RequestBody::of_call(body, fate.clone(), longest, self.requests.clone(), is_2);
            let mut sending = Box::pin(repeat::send(upstream, head, body, fate, begun, call.deadline));
            call_in_time(sending.as_mut(), fate, call).await
        } else {
            let pace = Pace::at_least(limits.min_body_rate);
            let body = RequestBody::of(body, fate.clone(), longest, pace, self.requests.clone(), is_2);
            let sending = pin!(exchange::send(upstream, head, body, fate, begun, None));
            (in_time(context, client, sending, fate).await, None)
        };
        let (response, lease, seen) = sent?;
        let (mut head, body) = response.into_parts();
        // To HTTP/1.0, the end of the connection is the end of a body without a length.
        let ends_connection = is_1_0 && hyper::body::Body::size_hint(&body).exact().is_none();
        rewrite::to_client(&mut head, route, ends_connection || self.sends_away(context), seen);
        let is_endless = seen.has(Seen::CONTENT_TYPE) && rewrite::is_endless(&head);
        if is_endless {
            client.deadline.set(None);
        }
        Ok(Answered { head, body, lease, call, is_endless })
    }

    /// Asks the upstream for another protocol.
    async fn change(
        context: &Context,
        client: &ClientState,
        Sent { upstream, route, mut head, begun }: Sent<'_>,
        fate: &Rc<BodyFate>,
        wish: &Upgrade,
        stream: Option<OnUpgrade>,
    ) -> Result<Answered, Instead> {
        client.must_end.set(!wish.is_connect());
        wish.ask(&mut head.headers);
        let asking = pin!(upgrade::ask(upstream, head, wish, fate, begun));
        let asked = in_time(context, client, asking, fate).await?;
        match asked.told(wish, route, context.is_draining.get()) {
            Told::Tunnel(head, opening) => {
                client.deadline.set(None);
                let stream = stream.filter(|_| wish.is_connect());
                Err(Instead::Tunnel(Box::new((head, opening, stream))))
            }
            Told::Answer(head, body, lease) => {
                let is_endless = rewrite::is_endless(&head);
                if is_endless {
                    client.deadline.set(None);
                }
                Ok(Answered { head, body, lease: *lease, call: None, is_endless })
            }
        }
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
            rewrite::close(headers);
        }
        response
    }

    /// The same for a call of gRPC. Its connection goes on, because other calls use it.
    fn refuse_call(context: &Context, refusal: Refusal, mut record: Record) -> Response<AnswerBody> {
        record.answered(StatusCode::OK, Some(Fault::Refused(refusal)));
        record.called(Status::of_refusal(refusal));
        context.telemetry.refused(refusal);
        let mut response = Response::new(AnswerBody::empty(record));
        *response.headers_mut() = answer::refusal(refusal);
        response
    }
}

/// Judges what only one version of HTTP has: the bytes of a head, or the fields of one that came in frames. Completes the head, and
/// returns the headers that it has.
fn judge_form(client: &ClientState, head: &mut request::Parts, limits: &Limits) -> Result<Seen, Refusal> {
    let seen = Seen::of(&head.headers);
    if head.version == Version::HTTP_2 {
        request_head::judge_http2(head, limits.max_headers, limits.max_header_size)?;
    } else {
        client.raw_head.judge(&head.headers, seen)?;
    }
    Ok(request_head::complete(head, seen))
}

/// Waits for the head of an answer within the time for it.
async fn in_time<T>(
    context: &Context,
    client: &ClientState,
    mut sending: Pin<&mut impl Future<Output = Result<T, Refusal>>>,
    fate: &BodyFate,
) -> Result<T, Refusal> {
    poll_fn(|task| match sending.as_mut().poll(task) {
        Poll::Pending if client.is_late.get() && fate.is_awaited.get() => {
            context.telemetry.met(Limit::RequestTimeout);
            Poll::Ready(Err(Refusal::SlowBody))
        }
        Poll::Pending if client.is_late.get() => Poll::Ready(Err(Refusal::UpstreamSilent)),
        polled => polled,
    })
    .await
}

/// The same for a call of gRPC
async fn call_in_time<T>(
    mut sending: Pin<&mut impl Future<Output = Result<T, Refusal>>>,
    fate: &BodyFate,
    mut call: Call,
) -> (Result<T, Refusal>, Option<Call>) {
    let sent = poll_fn(|task| match sending.as_mut().poll(task) {
        Poll::Pending => call.poll_late(task, fate.ended.get()).map(Err),
        ready @ Poll::Ready(_) => ready,
    });
    let sent = sent.await;
    call.has_head();
    (sent, Some(call))
}
