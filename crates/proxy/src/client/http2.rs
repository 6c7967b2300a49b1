//! A client's connection over HTTP/2 (RFC 9113), from its preface to its end. Its bounds beside the limits of requests stand in
//! `frames::allowance`.

mod outgoing;
mod refused;
mod stream;
mod stream_body;
mod streams;
mod times;
mod wire;

use std::{
    error::Error as _,
    future::poll_fn,
    mem,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
};

use h2::Reason;
use http::{HeaderMap, Request, Response};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::time;

use self::{
    stream_body::StreamBody,
    streams::{StreamTasks, Streams},
    times::{Activity, Times, Verdict},
    wire::Shared,
};
use crate::{
    client::{client_io::ClientIo, drain::Drain, handler::Handler},
    limits::{
        Limits,
        room::{HTTP2_CONNECTION, NARROW_SEND_BUFFER, STREAM_TASK, STREAM_WINDOW, Taken},
    },
    refusal::Refusal,
    telemetry::Limit,
    transport::linger::LINGER,
};

/// Streams that a client may have open at once
const MAX_STREAMS: u32 = 100;
/// Bytes of bodies that a client may send before the upstreams have read them: sixteen times the window of a stream, so that one
/// slow upstream does not stop the others
const CONNECTION_WINDOW: u32 = 16 * STREAM_WINDOW;
/// Bytes of an answer that h2 takes before the client has read them, where the container has no memory limit; each stream of a
/// client with large windows that reads nothing holds as many
const SEND_BUFFER: usize = 64 * 1024;
/// h2 counts each field as 32 bytes more than it has (RFC 9113, section 6.5.2).
const FIELD: u32 = 32;
/// Bytes of a field's place in a `HeaderMap`, of which a part is empty
const PLACE: usize = 128;
/// Bytes of a head that each stream may have: a few kilobytes of cookies and a token
const USUAL_HEAD: u64 = 8 * 1024;

/// How a connection ends
enum Ended {
    Hyper(hyper::Result<()>),
    /// A head did not come in time
    SlowHead,
    /// hyper has given the connection up: it does so at a CONNECT that announces a body, and
    /// reports nothing
    GivenUp,
    /// The client has gone, reads nothing, or has not said that it knows of the end
    Over,
}

/// Serves until the client goes, is idle for too long, or the listener closes.
pub(super) async fn serve(io: ClientIo, handler: Rc<Handler>, drain: Drain) {
    io.state.is_answering.set(true);
    io.state.owes.set(true);
    io.state.raw_head.stop();
    let shared = Shared::new(io, handler.current.get().limits.longest_trailers());
    let Some(memory) = handler.current.get().memory.room.take(HTTP2_CONNECTION) else {
        return end(shared, &handler, Some(Reason::ENHANCE_YOUR_CALM), Some(Refusal::Memory)).await;
    };
    let ended = Box::pin(active(shared.clone(), &memory, &handler, drain)).await;
    drop(memory);
    if let Some(limit) = handler.client.met.take() {
        // The client reads nothing. Dropped here, the connection ends with the reset that
        // `ClientIo` has prepared.
        handler.current.get().telemetry.met(limit);
        return;
    }
    let (said, refusal) = match ended {
        Ended::Hyper(Err(_)) if shared.is_flooded() => (Some(Reason::ENHANCE_YOUR_CALM), Some(Refusal::Flood)),
        Ended::Hyper(Err(_)) if handler.client.lacks_memory.take() => {
            (Some(Reason::ENHANCE_YOUR_CALM), Some(Refusal::Memory))
        }
        Ended::Hyper(Err(error)) => (None, refusal(&error)),
        Ended::SlowHead => (Some(Reason::NO_ERROR), Some(Refusal::SlowHead)),
        Ended::GivenUp => (Some(Reason::PROTOCOL_ERROR), Some(Refusal::BadHead)),
        Ended::Hyper(Ok(())) | Ended::Over => (None, None),
    };
    end(shared, &handler, said, refusal).await;
}

/// Lets hyper serve until the connection ends.
async fn active(shared: Shared, memory: &Taken, handler: &Rc<Handler>, mut drain: Drain) -> Ended {
    let streams = Rc::<Streams>::default();
    let limits = handler.current.get().limits.clone();
    let mut connection = pin!(builder(&limits, &streams, memory).serve_connection(
        TokioIo::new(shared.clone()),
        service_fn(|request| answer(handler.clone(), &streams, request)),
    ));
    let mut times = Times::new(&limits, memory.is_of_limited_room());
    let (mut is_closing, mut begun) = (false, 0);
    // Once hyper has ended, the last bytes may still wait for the client to read.
    let mut ended = None;
    // Looked at before each look at the future below, which costs ten times as much.
    let news = drain.clone();
    let mut has_looked = false;
    let mut closed = pin!(drain.going_away());
    poll_fn(|context| {
        shared.begin_turn();
        loop {
            if ended.is_none()
                && let Poll::Ready(result) = connection.as_mut().poll(context)
            {
                ended = Some(result);
            }
            let sent = shared.poll_send(context);
            let has_begun = mem::replace(&mut begun, streams.begun()) != begun;
            for refusal in shared.take_refused(begun) {
                handler.current.get().refused_unread(handler.peer, refusal);
            }
            if let Some(result) = ended.take_if(|_| sent.is_ready()) {
                let must_go_on = !is_closing && !handler.client.has_ended.get() && shared.has_unseen(begun);
                return Poll::Ready(if result.is_ok() && must_go_on { Ended::GivenUp } else { Ended::Hyper(result) });
            }
            match sent {
                // The client has gone, or reads nothing.
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Over),
                Poll::Pending if ended.is_some() => return Poll::Pending,
                _ => (),
            }
            let is_news = !mem::replace(&mut has_looked, true) || news.has_news();
            let must_close = has_begun && handler.sends_away(&handler.current.get());
            let mut close = !is_closing && (must_close || is_news && closed.as_mut().poll(context).is_ready());
            let is_blocked = handler.client.is_blocked.get();
            let is_busy = !streams.is_empty() || handler.has_requests() || is_blocked;
            if !close {
                let head = shared.head_under_way();
                match ready!(times.poll(context, &streams, Activity { head, is_busy, is_blocked })) {
                    Verdict::InTime { stalled } => {
                        let telemetry = &handler.current.get().telemetry;
                        (0..stalled).for_each(|_| telemetry.met(Limit::IdleTimeout));
                        close = !is_closing && !is_busy && memory.is_of_crowded_room();
                    }
                    Verdict::SlowHead => return Poll::Ready(Ended::SlowHead),
                    Verdict::Idle => {
                        handler.current.get().telemetry.met(Limit::IdleTimeout);
                        close = true;
                    }
                    Verdict::Over => return Poll::Ready(Ended::Over),
                }
            }
            if close {
                // The client may open streams until it answers this (RFC 9113, section 6.8), and those are served.
                is_closing = true;
                times.limit_rest();
                connection.as_mut().graceful_shutdown();
            }
        }
    })
    .await
}

/// Answers a request on a new stream.
fn answer(
    handler: Rc<Handler>,
    streams: &Streams,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<StreamBody>, h2::Error>> + use<> {
    let stream = streams.begin();
    let is_closed = streams.are_closed.get();
    let context = handler.current.get();
    // Taken before any of the tasks runs that one read of many heads begins. The first stream may show that the room suffices.
    let room = &context.memory.room;
    let bytes = STREAM_TASK + if room.is_limited() { long_head(request.headers()) } else { 0 };
    let memory = if streams.is_empty() { Some(room.take_anyway(bytes)) } else { room.take(bytes) };
    if memory.is_none() && !is_closed {
        context.refused_unread(handler.peer, Refusal::Memory);
    }
    // The head of a refused request goes now, and not when its task runs, because one read may bring the heads of many.
    let admitted = memory.filter(|_| !is_closed).map(|memory| (memory, request));
    // In boxes, because a task moves its future several times, and the one of an answer takes kilobytes.
    Box::pin(async move {
        let Some((_memory, request)) = admitted else { return Err(Reason::REFUSED_STREAM.into()) };
        let response = Box::pin(handler.answer(&stream.client, request)).await;
        Ok(response.map(|body| StreamBody::new(body, stream)))
    })
}

/// Bytes of a head beyond those that [`STREAM_TASK`] has for it. The table of HPACK makes a long head of few bytes.
fn long_head(fields: &HeaderMap) -> u64 {
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + PLACE).sum();
    (bytes as u64).saturating_sub(USUAL_HEAD)
}

fn builder(limits: &Limits, streams: &Rc<Streams>, memory: &Taken) -> http2::Builder<StreamTasks> {
    // The proxy itself judges a head of up to twice the size, because h2 answers without a reason and a line in the log.
    let head = u32::try_from(limits.max_header_size).unwrap_or(u32::MAX).saturating_mul(2);
    let fields = limits.max_headers.saturating_mul(FIELD);
    let send_buffer = if memory.is_of_limited_room() { NARROW_SEND_BUFFER } else { SEND_BUFFER };
    let mut builder = http2::Builder::new(StreamTasks(streams.clone()));
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(head.saturating_add(fields))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(send_buffer);
    builder
}

/// The client's fault, where h2 ended the connection for it
fn refusal(error: &hyper::Error) -> Option<Refusal> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    match error.reason() {
        _ if !error.is_library() => None,
        Some(Reason::ENHANCE_YOUR_CALM) => Some(Refusal::Flood),
        _ => Some(Refusal::BadFrames),
    }
}

/// Ends a connection after hyper, so that the client can read why.
async fn end(shared: Shared, handler: &Handler, said: Option<Reason>, refusal: Option<Refusal>) {
    if let Some(refusal) = refusal {
        handler.current.get().refused_unread(handler.peer, refusal);
    }
    let Some(mut wire) = shared.into_wire() else { return };
    // A client that does not read ends like one that is idle.
    let _ = time::timeout(LINGER, async {
        wire.send().await?;
        match said {
            Some(reason) => wire.go_away(reason).await,
            None => Ok(()),
        }
    })
    .await;
    wire.linger().await;
}
