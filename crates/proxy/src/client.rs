//! One client's connection, from its first byte to its end. While it is idle it has no buffer: hyper gets it only when there is
//! something to read.
//!
//! Long because idleness, deadlines and the drain decide in one loop what becomes of a connection.

pub(crate) mod answer_body;
mod buffered;
pub(crate) mod client_io;
mod deadlines;
pub(crate) mod drain;
pub(crate) mod exchange;
pub(crate) mod handler;
mod http2;
mod leaving;
pub(crate) mod record;
mod repeat;
mod standing;
pub(crate) mod upgrade;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::future::Either;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    task,
    time::{self, Instant},
};

use self::deadlines::{Deadlines, Tick};
use crate::{
    client::{buffered::Buffered, client_io::ClientIo, drain::Drain, handler::Handler, upgrade::Opened},
    context::Current,
    head::forwarded::Forwarded,
    peer::Peer,
    refusal::Refusal,
    telemetry::Limit,
    tls::{self, Beginning, Session},
    transport::{
        Transport,
        linger::{LINGER, linger},
        socket::Socket,
    },
    tunnel,
};

/// The time for the first request of a connection, also where the listener closes: clients connect when they have something to
/// ask, and never expect a close before they have asked.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The runtime looks at its sockets before a timer of this length ends.
const ONE_LOOK: Duration = Duration::from_millis(1);
/// The way on behind hyper's part of a connection
enum Next {
    Idle(ClientIo),
    /// The upgrade that the client has been told of
    Tunnel(Box<Opened>, ClientIo),
    End,
}

/// How hyper's part of a connection ends
enum Ended {
    Hyper(hyper::Result<()>),
    /// The connection is idle and can do without hyper
    Parked,
    /// A head did not come in time
    SlowHead,
}

/// Serves a client until it goes, is idle for too long, or the listener closes; then drops the guard. The future is small, because
/// idle clients are many: it holds each of its parts once, and those of a connection in use in a box.
pub(crate) fn serve(
    guard: impl Sized + 'static,
    current: Rc<Current>,
    socket: Socket,
    peer: Peer,
    drain: Drain,
) -> impl Future<Output = ()> {
    socket.set_nodelay();
    if current.get().plan.tls.is_none() {
        return Either::Left(serve_http(guard, current, socket.into(), None, peer, drain));
    }
    // In a box, so that connections without TLS have no room for what a handshake needs.
    Either::Right(Box::pin(async move {
        match Box::pin(begin(socket, peer, &current, drain.clone())).await {
            Beginning::Ready(transport, session) => serve_http(guard, current, transport, session, peer, drain).await,
            Beginning::PlainHttp(socket) => Box::pin(refuse_plain_http(current, socket, peer, drain)).await,
            Beginning::Over(_) => (),
        }
    }))
}

/// The connection as HTTP uses it: after the handshake, where the listener speaks TLS.
async fn begin(socket: Socket, peer: Peer, current: &Current, mut drain: Drain) -> Beginning {
    let context = current.get();
    let Some(tls) = &context.plan.tls else { return Beginning::Ready(socket.into(), None) };
    let (beginning, outcome) = tls::begin(tls, socket, &context.handshakes, drain.closing()).await;
    let version = match &beginning {
        Beginning::Ready(_, Some(session)) => Some(session.version),
        _ => None,
    };
    context.telemetry.shook_hands(outcome, version);
    if let Beginning::Over(Some(reason)) = &beginning {
        context.handshakes.refused.log(&context.plan.name, peer, reason);
    }
    beginning
}

/// The bytes of a connection, and the answers to its requests
fn connection(
    current: Rc<Current>,
    transport: Transport,
    session: Option<Session>,
    peer: Peer,
    drain: Drain,
) -> (ClientIo, Rc<Handler>) {
    let context = current.get();
    let io = ClientIo::new(transport, context.limits.idle_timeout, context.memory.room.clone());
    let client = io.state.clone();
    let plain = Forwarded::new(peer);
    let forwarded = match &session {
        Some(session) => plain.over_tls(session.certificate.as_deref()),
        None => plain,
    };
    let session = session.map(Rc::new);
    let (requests, opened) = (Rc::default(), RefCell::default());
    let handler = Handler { current, client, forwarded, peer, session, requests, drain, opened };
    (io, handler.into())
}

fn serve_http(
    guard: impl Sized + 'static,
    current: Rc<Current>,
    transport: Transport,
    session: Option<Session>,
    peer: Peer,
    mut drain: Drain,
) -> impl Future<Output = ()> {
    let (mut io, handler) = connection(current, transport, session, peer, drain.clone());
    let mut fresh_until = Some(Instant::now() + FIRST_REQUEST);
    async move {
        let _ = &guard;
        while has_more(&mut io, &handler, &mut drain, fresh_until).await {
            if fresh_until.take().is_some() && io.speaks_http2(handler.current.get().limits.header_timeout).await {
                return Box::pin(http2::serve(io, handler, drain)).await;
            }
            let Some(buffered) = Buffered::new(&handler.current.get()) else {
                return Box::pin(turn_away(io, &handler, Refusal::Memory)).await;
            };
            match Box::pin(active(io, buffered, &handler, &mut drain)).await {
                Next::Idle(idle) => io = idle,
                Next::Tunnel(opened, ended) => return Box::pin(tunnel(ended, *opened)).await,
                Next::End => return,
            }
        }
        // The end of TLS is a message of its own, which tells it from a connection that was cut (RFC 8446, section 6.1).
        if handler.session.is_some() {
            let _ = Box::pin(time::timeout(LINGER, io.end())).await;
        }
    }
}

/// Waits for something to read; `false` if the connection has ended, was idle for too long, or the listener has closed.
///
/// After that, a connection without a request so far stays a moment longer, because it was made for one, which may be on its way.
/// Another may bring one that the runtime learns of when it looks at its sockets once more.
async fn has_more(io: &mut ClientIo, handler: &Handler, drain: &mut Drain, fresh_until: Option<Instant>) -> bool {
    let mut timer = pin!(time::sleep(handler.current.get().limits.idle_timeout));
    let mut closed = pin!(drain.closing());
    let mut is_closing = false;
    poll_fn(|context| {
        // Serve a request that has arrived, even when the listener closes at that moment.
        if let Poll::Ready(has_more) = io.poll_more(context) {
            return Poll::Ready(has_more);
        }
        if !is_closing && closed.as_mut().poll(context).is_ready() {
            is_closing = true;
            let one_look = Instant::now() + ONE_LOOK;
            timer.as_mut().reset(fresh_until.map_or(one_look, |until| until.max(one_look)));
        }
        ready!(timer.as_mut().poll(context));
        if !is_closing {
            handler.current.get().telemetry.met(Limit::IdleTimeout);
        }
        Poll::Ready(false)
    })
    .await
}

/// Lets hyper serve until the connection has been idle for a while, has become a tunnel, or has ended.
async fn active(io: ClientIo, buffered: Buffered, handler: &Rc<Handler>, drain: &mut Drain) -> Next {
    let service = {
        let handler = handler.clone();
        service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, Infallible>(handler.answer(&handler.client, request).await) }
        })
    };
    let mut connection = builder(handler).serve_connection(TokioIo::new(io), service);
    let mut deadlines = Deadlines::new(&handler.current.get().limits);
    let (mut is_closing, mut closing_turn) = (false, None);
    // Looked at before each look at the future below, which costs ten times as much.
    let news = drain.clone();
    let mut has_looked = false;
    let mut closed = pin!(drain.closing());
    let ended = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Ended::Hyper(ended));
            }
            let has_begun = deadlines.note(&handler.client);
            let is_news = !mem::replace(&mut has_looked, true) || news.has_news();
            if !is_closing && (closing_turn.is_some() || is_news && closed.as_mut().poll(context).is_ready()) {
                // Before that, a request that has arrived must be read: the runtime looks at its sockets once more.
                let turn = closing_turn.get_or_insert_with(|| Some(Box::pin(task::yield_now())));
                if turn.as_mut().is_some_and(|turn| turn.as_mut().poll(context).is_pending()) {
                    return Poll::Pending;
                }
                *turn = None;
                // Of a head that has begun, the rest may come within --header-timeout.
                if !has_begun {
                    is_closing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                    continue;
                }
            }
            let is_superfluous = !is_closing && buffered.are_many() && buffered.are_too_many(handler);
            let tick = deadlines.poll_tick(context, &handler.client);
            match if is_superfluous { Tick::InTime } else { ready!(tick) } {
                Tick::SlowHead => return Poll::Ready(Ended::SlowHead),
                Tick::Over => return Poll::Ready(Ended::Hyper(Ok(()))),
                Tick::InTime if !is_closing && handler.is_idle() => {
                    // On an idle connection this ends hyper's part at once, and tells the client nothing. If hyper goes on, it
                    // knows of more, and the connection must end: its next byte may be one of a body.
                    Pin::new(&mut connection).graceful_shutdown();
                    if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                        return Poll::Ready(ended.map_or_else(|error| Ended::Hyper(Err(error)), |()| Ended::Parked));
                    }
                    is_closing = true;
                    deadlines.limit_rest();
                }
                Tick::InTime => (),
            }
        }
    })
    .await;
    let parts = connection.into_parts();
    after(handler, ended, parts.io.into_inner(), parts.read_buf).await
}

/// The way on behind hyper's part of a connection, of which these bytes were read and not used
async fn after(handler: &Handler, ended: Ended, mut io: ClientIo, unread: Bytes) -> Next {
    // Dropped where hyper has not told the client, it ends the upstream's connection.
    if let (Some(opened), Ended::Hyper(Ok(()))) = (handler.opened.take(), &ended) {
        io.become_tunnel(unread);
        return Next::Tunnel(opened, io);
    }
    if let Some(limit) = handler.client.met.take() {
        handler.current.get().telemetry.met(limit);
    }
    match ended {
        Ended::Parked if !handler.client.has_ended.get() => {
            io.put_back(unread);
            return Next::Idle(io);
        }
        Ended::Hyper(_) if handler.client.lacks_memory.take() => refuse(handler, &mut io, Refusal::Memory).await,
        Ended::Hyper(Err(error)) if error.is_parse_too_large() => refuse(handler, &mut io, Refusal::HeadTooLarge).await,
        Ended::Hyper(Err(error)) if error.is_parse() => refuse(handler, &mut io, Refusal::BadHead).await,
        Ended::SlowHead => refuse(handler, &mut io, Refusal::SlowHead).await,
        Ended::Parked | Ended::Hyper(_) => (),
    }
    linger(io.transport_mut()).await;
    Next::End
}

/// Runs a tunnel to its end.
async fn tunnel(mut io: ClientIo, opened: Opened) {
    let early = io.take_unread();
    match opened.run(io.transport_mut(), early).await {
        // Without a reset, the kernel would keep the bytes that the client does not read.
        tunnel::Ended::Idle => io.reset(),
        _ => linger(io.transport_mut()).await,
    }
}

fn builder(handler: &Handler) -> http1::Builder {
    let limits = &handler.current.get().limits;
    let head = usize::try_from(limits.max_header_size).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    // hyper would make a timer for each head.
    builder.header_read_timeout(None).max_headers(limits.max_headers as usize).max_buf_size(head).max_header_size(head);
    builder
}

/// Refuses a head that hyper could not read. Behind an earlier answer that the client has not read yet, hyper has answered.
async fn refuse(handler: &Handler, io: &mut ClientIo, refusal: Refusal) {
    handler.current.get().refused_unread(handler.peer, refusal);
    if !handler.client.owes.get() {
        // A client that does not read ends like one that is idle.
        let _ = time::timeout(LINGER, io.answer(refusal.last_answer().as_bytes())).await;
    }
}

/// Tells a client without TLS which URL it needs.
async fn refuse_plain_http(current: Rc<Current>, socket: Socket, peer: Peer, drain: Drain) {
    let (io, handler) = connection(current, socket.into(), None, peer, drain);
    turn_away(io, &handler, Refusal::PlainHttp).await;
}

/// Refuses a request before its head is read.
async fn turn_away(mut io: ClientIo, handler: &Handler, refusal: Refusal) {
    refuse(handler, &mut io, refusal).await;
    linger(io.transport_mut()).await;
}
