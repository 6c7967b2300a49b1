//! One client's connection, from its first byte to its end. While it is idle it has no buffer: hyper gets it only when there is
//! something to read.

pub(crate) mod answer_body;
pub(crate) mod client_io;
mod deadlines;
pub(crate) mod exchange;
pub(crate) mod handler;
pub(crate) mod record;

use std::{
    cell::Cell,
    convert::Infallible,
    future::poll_fn,
    mem,
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    sync::watch,
    task,
    time::{self, Instant},
};

use self::deadlines::{Deadlines, Tick};
use crate::{
    client::{client_io::ClientIo, handler::Handler},
    context::{Context, Current},
    head::forwarded::Forwarded,
    limits::room::{BUFFERS, Taken},
    refusal::Refusal,
    telemetry::Limit,
};

/// The time for the first request of a connection, also where the listener closes: clients connect when they have something to
/// ask, and never expect a close before they have asked.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// Idle connections that keep their buffers, about 20 KB each, because most of the next requests come soon. With more of them,
/// a connection gives up its buffers as soon as it is idle, so that memory follows the requests in flight.
const MOST_WARM: u32 = 128;
/// The runtime looks at its sockets before a timer of this length ends.
const ONE_LOOK: Duration = Duration::from_millis(1);
/// How long a client whose connection ends may go on sending, so that it reads the answer before the reset that bytes nobody
/// reads would cause (RFC 9112, section 9.6)
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are thrown away in that time
const LINGER_LIMIT: usize = 256 * 1024;

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
    stream: TcpStream,
    peer: IpAddr,
    mut closing: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    // An event of a stream must not wait for the one before to be acknowledged.
    let _ = stream.set_nodelay(true);
    let mut io = ClientIo::new(stream, current.get().limits.idle_timeout, current.get().memory.room.clone());
    let handler = Rc::new(Handler {
        client: io.state.clone(),
        forwarded: Forwarded::new(peer),
        peer,
        requests: Rc::default(),
        current,
    });
    let mut fresh_until = Some(Instant::now() + FIRST_REQUEST);
    async move {
        let _ = &guard;
        while has_more(&io, &handler, &mut closing, fresh_until).await {
            fresh_until = None;
            let Some(buffered) = Buffered::new(&handler.current.get()) else {
                return Box::pin(turn_away(io, &handler)).await;
            };
            match Box::pin(active(io, buffered, &handler, &mut closing)).await {
                Some(idle) => io = idle,
                None => return,
            }
        }
    }
}

/// Waits for something to read; `false` if the connection has ended, was idle for too long, or the listener has closed.
///
/// After that, a connection without a request so far stays a moment longer, because it was made for one, which may be on its way.
/// Another may bring one that the runtime learns of when it looks at its sockets once more.
async fn has_more(
    io: &ClientIo,
    handler: &Handler,
    closing: &mut watch::Receiver<bool>,
    fresh_until: Option<Instant>,
) -> bool {
    let mut timer = pin!(time::sleep(handler.current.get().limits.idle_timeout));
    let mut closed = pin!(closing.wait_for(|is_closing| *is_closing));
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

/// Lets hyper serve until the connection has been idle for a while, and gives it back; nothing if it has ended.
async fn active(
    io: ClientIo,
    buffered: Buffered,
    handler: &Rc<Handler>,
    closing: &mut watch::Receiver<bool>,
) -> Option<ClientIo> {
    let service = {
        let handler = handler.clone();
        service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, Infallible>(handler.answer(request).await) }
        })
    };
    let mut connection = builder(handler).serve_connection(TokioIo::new(io), service);
    let mut deadlines = Deadlines::new(&handler.current.get().limits);
    let (mut is_closing, mut closing_turn) = (false, None);
    // Looked at before each look at the future below, which costs ten times as much.
    let news = closing.clone();
    let mut has_looked = false;
    let mut closed = pin!(closing.wait_for(|is_closing| *is_closing));
    let ended = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Ended::Hyper(ended));
            }
            let has_begun = deadlines.note(&handler.client);
            let is_news = !mem::replace(&mut has_looked, true) || news.has_changed().unwrap_or(true);
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
    let mut io = parts.io.into_inner();
    if let Some(limit) = handler.client.met.take() {
        handler.current.get().telemetry.met(limit);
    }
    match ended {
        Ended::Parked if !handler.client.has_ended.get() => {
            io.put_back(parts.read_buf);
            return Some(io);
        }
        Ended::Hyper(_) if handler.client.lacks_memory.take() => tell(handler, &mut io, Refusal::Memory).await,
        Ended::Hyper(Err(error)) if error.is_parse_too_large() => tell(handler, &mut io, Refusal::HeadTooLarge).await,
        Ended::Hyper(Err(error)) if error.is_parse() => tell(handler, &mut io, Refusal::BadHead).await,
        Ended::SlowHead => tell(handler, &mut io, Refusal::SlowHead).await,
        Ended::Parked | Ended::Hyper(_) => (),
    }
    linger(io).await;
    None
}

/// A connection with buffers
struct Buffered {
    count: Rc<Cell<u32>>,
    memory: Taken,
}

impl Buffered {
    /// Nothing if there is no memory for it; the only one finds some.
    fn new(context: &Context) -> Option<Self> {
        let (count, room) = (context.buffered.clone(), &context.memory.room);
        let memory = if count.get() == 0 { room.take_anyway(BUFFERS) } else { room.take(BUFFERS)? };
        count.update(|count| count + 1);
        Some(Self { count, memory })
    }

    /// Few look further than this.
    fn are_many(&self) -> bool {
        self.count.get() > MOST_WARM || self.memory.is_of_crowded_room()
    }

    fn are_too_many(&self, handler: &Handler) -> bool {
        handler.is_idle()
            && (self.memory.is_of_crowded_room()
                || self.count.get() > handler.current.get().in_flight.get() + MOST_WARM)
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.count.update(|count| count - 1);
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
async fn tell(handler: &Handler, io: &mut ClientIo, refusal: Refusal) {
    handler.current.get().refused_unread(handler.peer, refusal);
    if !handler.client.owes.get() {
        // A client that does not read ends like one that is idle.
        let _ = time::timeout(LINGER, io.answer(&refusal.last_answer())).await;
    }
}

/// Refuses a request for which there is no memory, not even to read its head.
async fn turn_away(mut io: ClientIo, handler: &Handler) {
    tell(handler, &mut io, Refusal::Memory).await;
    linger(io).await;
}

/// Ends a connection so that the client can read the last answer.
async fn linger(mut io: ClientIo) {
    let reading = async {
        let _ = io.end().await;
        let mut left = LINGER_LIMIT;
        while let Some(length) = poll_fn(|context| poll_discard(&mut io, context)).await
            && left > length
        {
            left -= length;
        }
    };
    let _ = time::timeout(LINGER, reading).await;
}

/// Reads into a room on the stack, because a future with room would hold it while it waits; nothing at the end.
fn poll_discard(io: &mut ClientIo, context: &mut std::task::Context) -> Poll<Option<usize>> {
    let mut room = [0; 4096];
    let mut room = ReadBuf::new(&mut room);
    let read = ready!(Pin::new(io).poll_read(context, &mut room));
    Poll::Ready(Some(room.filled().len()).filter(|length| read.is_ok() && *length > 0))
}
