//! A connection to an upstream that speaks HTTP/2: the requests that use it, and the time when it
//! takes no more.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use h2::client::{Builder, Connection, SendRequest};
use hyper::body::Bytes;
use tokio::{sync::Notify, task};

use crate::{
    limits::room::{IDLE_UPSTREAM, Room, Taken},
    upstream::upstream_io::{Traffic, UpstreamIo},
};

/// Requests at once over one connection, where the upstream allows as many; a usual bound of servers
const MOST_STREAMS: u16 = 100;
/// h2's bound of requests until the upstream's SETTINGS are there: no value that a frame can hold
const NO_SETTINGS: usize = usize::MAX - 1;
/// A connection that has brought nothing for this long, although a request waits, may have lost its upstream without a reset.
const SILENCE: Duration = Duration::from_secs(5);
/// Four times the limit of a head, because h2 cuts longer trailers and does not say so
const H2_HEAD_LIMIT: u32 = 4 * 64 * 1024;
/// Bytes of an answer that may be on their way to one client: without a memory limit, and with one, where they are a part of what
/// each request takes of the room
const WIDE_WINDOW: u32 = 256 * 1024;
const NARROW_WINDOW: u32 = 16 * 1024;
/// Streams that were reset here and whose last frames may still come
const RESET_STREAMS: usize = 100;

/// A connection, which the requests that use it share
pub(crate) struct Http2 {
    sender: RefCell<SendRequest<Bytes>>,
    pub(crate) traffic: Rc<Traffic>,
    /// Requests that use it
    streams: Cell<usize>,
    /// When it was made, if no request has used it
    unused_since: Cell<Option<Instant>>,
    /// When it takes no more requests
    retires: Cell<Instant>,
    /// The bytes that had been received when the oldest request since then was sent, and when that was
    asked: Cell<Option<(u64, Instant)>>,
    room: Room,
    /// Of an idle connection
    memory: RefCell<Option<Taken>>,
}

/// Why a connection cannot be used
pub(crate) enum NoHttp2 {
    /// The upstream has ended it
    Closed,
    /// The upstream has said what is no HTTP/2
    Otherwise,
}

impl Http2 {
    /// Begins to speak, and waits for the upstream's SETTINGS, so that no request is sent to a server that speaks something else.
    /// `changed` hears of each change of the number of requests that the upstream allows, and of the end.
    pub(crate) async fn begin(
        mut io: UpstreamIo,
        traffic: Rc<Traffic>,
        retires: Instant,
        room: Room,
        changed: Rc<Notify>,
    ) -> Result<Rc<Self>, NoHttp2> {
        io.bound_blocks();
        let window = if room.is_limited() { NARROW_WINDOW } else { WIDE_WINDOW };
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_max_send_streams(NO_SETTINGS)
            .initial_window_size(window)
            // Clients that do not read take no window away from others.
            .initial_connection_window_size(window * u32::from(MOST_STREAMS))
            .max_header_list_size(H2_HEAD_LIMIT)
            .max_send_buffer_size(window as usize)
            .max_concurrent_reset_streams(RESET_STREAMS)
            // Late frames of more streams than that are faults to h2. They take no memory, and must
            // not end the requests of others.
            .max_local_error_reset_streams(None);
        let begun = builder.handshake(io).await;
        let (sender, mut connection) = begun.map_err(|_| NoHttp2::Closed)?;
        poll_fn(|context| match Pin::new(&mut connection).poll(context) {
            Poll::Ready(Err(error)) if !error.is_io() => Poll::Ready(Err(NoHttp2::Otherwise)),
            Poll::Ready(_) => Poll::Ready(Err(NoHttp2::Closed)),
            Poll::Pending if connection.max_concurrent_send_streams() == NO_SETTINGS => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        task::spawn_local(drive(connection, changed));
        Ok(Rc::new(Self {
            sender: RefCell::new(sender),
            traffic,
            streams: Cell::default(),
            unused_since: Cell::new(Some(Instant::now())),
            retires: Cell::new(retires),
            asked: Cell::default(),
            room,
            memory: RefCell::default(),
        }))
    }

    /// A sender for one request
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.borrow().clone()
    }

    /// Whether it takes no more requests, because it has ended, is going away, or is old
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let ready = self.sender.borrow_mut().poll_ready(&mut Context::from_waker(Waker::noop()));
        now >= self.retires.get() || matches!(ready, Poll::Ready(Err(_)))
    }

    /// Whether the upstream allows one more request now
    pub(crate) fn has_room(&self) -> bool {
        self.streams.get() < self.sender.borrow().current_max_send_streams().min(MOST_STREAMS.into())
    }

    /// Whether it was made within this time, and no request has used it
    pub(crate) fn is_unused_within(&self, time: Duration, now: Instant) -> bool {
        self.unused_since.get().is_some_and(|since| now.saturating_duration_since(since) < time)
    }

    /// Whether the upstream may be gone, because nothing has come for a while after a request
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        let asked = self.asked.get();
        asked.is_some_and(|(received, at)| {
            received == self.traffic.received.get() && now.saturating_duration_since(at) >= SILENCE
        })
    }

    /// A request begins to use it.
    pub(crate) fn enter(&self, now: Instant) {
        self.unused_since.set(None);
        if self.streams.replace(self.streams.get() + 1) == 0 {
            self.traffic.set_idle_since(None);
            self.memory.take();
        }
        let received = self.traffic.received.get();
        if self.asked.get().is_none_or(|(before, _)| before != received) {
            self.asked.set(Some((received, now)));
        }
    }

    /// A request uses it no longer. Without room for an idle connection it takes no other.
    pub(crate) fn leave(&self, now: Instant) {
        self.streams.update(|streams| streams - 1);
        if self.streams.get() > 0 {
            return;
        }
        self.asked.set(None);
        self.traffic.set_idle_since(Some(now));
        let memory = self.room.take(IDLE_UPSTREAM);
        if memory.is_none() {
            self.retires.set(now);
        }
        self.memory.replace(memory);
    }

    /// It stands, and the upstream allows no request yet. It counts also where the room is full, because another connection in its
    /// place would need as much.
    pub(crate) fn stand_idle(&self, now: Instant) {
        self.traffic.set_idle_since(Some(now));
        self.memory.replace(Some(self.room.take_anyway(IDLE_UPSTREAM)));
    }

    /// Whether no request has used it for this long
    pub(crate) fn is_idle_for(&self, time: Duration, now: Instant) -> bool {
        let since = self.traffic.idle_since();
        since.is_some_and(|since| now.saturating_duration_since(since) >= time)
    }
}

/// Runs a connection to its end, which comes when nothing holds it and its last request is over.
async fn drive(mut connection: Connection<UpstreamIo, Bytes>, changed: Rc<Notify>) {
    let mut allowed = connection.max_concurrent_send_streams();
    poll_fn(|context| {
        let polled = Pin::new(&mut connection).poll(context);
        let before = std::mem::replace(&mut allowed, connection.max_concurrent_send_streams());
        if allowed > before {
            changed.notify_waiters();
        }
        polled.map(drop)
    })
    .await;
    changed.notify_waiters();
}
