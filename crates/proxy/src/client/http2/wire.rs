//! The bytes of an HTTP/2 connection. Their frames are counted on their way, in both directions, and the connection ends where a
//! client sends too many that serve no request.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use h2::Reason;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{outgoing::Outgoing, refused::Refused};
use crate::{
    client::client_io::ClientIo,
    frames::{Frames, Kind, allowance::Allowance},
    refusal::Refusal,
    transport::linger::linger_with_reader,
};

/// Bytes of heads after which their streams get their turn, because h2 holds all heads that it has read until then. A read may bring
/// as many again, and a byte of a head may stand for a whole field.
const HEADS_AT_ONCE: u32 = 8 * 1024;

/// The largest frame that h2 allows a client: more than that of a head is held until all of it has come.
const FRAME: usize = 16 * 1024;

/// The connection, as hyper has it and as the proxy has it
#[derive(Clone)]
pub(super) struct Shared(Rc<RefCell<Wire>>);

/// A connection and its frames
pub(super) struct Wire {
    io: ClientIo,
    outgoing: Outgoing,
    begun: Instant,
    received: Frames,
    sent: Frames,
    allowance: Allowance,
    is_flooded: bool,
    /// Bytes of the block of trailers that comes; nothing while a head does
    trailers: Option<usize>,
    longest_trailers: usize,
    /// Bytes of heads in this turn
    heads: u32,
    /// Whether anything has been sent
    has_begun: bool,
    /// The highest stream that the client has opened
    last_stream: u32,
    refused: Refused,
}

impl Shared {
    /// Longer blocks of trailers end the connection.
    pub(super) fn new(io: ClientIo, longest_trailers: usize) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            io,
            outgoing: Outgoing::default(),
            begun: Instant::now(),
            received: Frames::of_client(),
            sent: Frames::of_server(),
            allowance: Allowance::new(),
            is_flooded: false,
            trailers: None,
            longest_trailers,
            heads: 0,
            has_begun: false,
            last_stream: 0,
            refused: Refused::default(),
        })))
    }

    /// The streams that have come so far have run: more heads may be read.
    pub(super) fn begin_turn(&self) {
        self.0.borrow_mut().heads = 0;
    }

    /// Whether the client has sent too many frames
    pub(super) fn is_flooded(&self) -> bool {
        self.0.borrow().is_flooded
    }

    /// The number of a head or of the header of a frame that has begun, and not ended
    pub(super) fn head_under_way(&self) -> Option<u64> {
        self.0.borrow().received.head_under_way()
    }

    /// Whether h2 has neither given the proxy, which has seen this number of requests, nor refused
    /// a stream
    pub(super) fn has_unseen(&self, requests: u64) -> bool {
        self.0.borrow().refused.has_unseen(requests)
    }

    /// The heads that h2 has refused since the last time, where the proxy has seen this number of
    /// requests
    pub(super) fn take_refused(&self, requests: u64) -> Vec<Refusal> {
        self.0.borrow_mut().refused.take(requests)
    }

    /// Sends what hyper has written: it is asked for when hyper has written all that it has.
    pub(super) fn poll_send(&self, context: &mut Context) -> Poll<io::Result<()>> {
        let Wire { io, outgoing, .. } = &mut *self.0.borrow_mut();
        outgoing.poll_send(io, context)
    }

    /// The connection without hyper, which has dropped its part; nothing if it has not
    pub(super) fn into_wire(self) -> Option<Wire> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl Wire {
    /// Sends what hyper has written.
    pub(super) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|context| self.outgoing.poll_send(&mut self.io, context)).await
    }

    /// Writes GOAWAY (RFC 9113, section 6.8) where hyper does not, behind all that it has written, if the next byte may begin a frame.
    pub(super) async fn go_away(&mut self, reason: Reason) -> io::Result<()> {
        if !self.sent.is_between() {
            return Ok(());
        }
        let mut frames = Vec::new();
        if !self.has_begun {
            // Settings come first (section 3.4).
            frames.extend([0, 0, 0, Kind::Settings.number(), 0, 0, 0, 0, 0]);
        }
        frames.extend([0, 0, 8, Kind::GoAway.number(), 0, 0, 0, 0, 0]);
        frames.extend(self.last_stream.to_be_bytes());
        frames.extend(u32::from(reason).to_be_bytes());
        self.io.answer(&frames).await
    }

    /// Ends the connection, once the client has read all or no longer gives windows.
    pub(super) async fn linger(mut self) {
        let says_it_reads = |bytes: &[u8]| {
            let mut has_window = false;
            self.received.pass(bytes, |frame| has_window |= frame.kind == Kind::WindowUpdate);
            has_window
        };
        linger_with_reader(self.io.transport_mut(), says_it_reads).await;
    }

    fn note_received(&mut self, read: &[u8]) {
        let Self { received, allowance, begun, is_flooded, trailers, heads, last_stream, refused, .. } = self;
        let longest_trailers = self.longest_trailers;
        received.pass(read, |frame| {
            if frame.kind == Kind::Headers {
                *trailers = (frame.stream <= *last_stream).then_some(0);
            }
            if frame.kind == Kind::Headers && frame.stream > *last_stream {
                *last_stream = frame.stream;
                refused.opened();
            }
            if frame.is_of_head() {
                *heads = heads.saturating_add(frame.length);
                if let Some(length) = trailers {
                    *length += frame.length as usize;
                    *is_flooded |= *length > longest_trailers;
                }
            }
            *is_flooded |= !allowance.received(frame, || begun.elapsed());
        });
    }

    fn note_sent(&mut self, written: &[u8]) {
        self.has_begun = true;
        let Self { sent, allowance, refused, .. } = self;
        sent.pass(written, |frame| {
            allowance.wrote(frame);
            refused.sent(frame);
        });
    }
}

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let wire = &mut *self.0.borrow_mut();
        if wire.heads >= HEADS_AT_ONCE {
            // The next turn comes behind the tasks that hyper has begun in this one.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let head = wire.received.head_length();
        if head > FRAME && !wire.io.has_room_behind(head) {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut wire.io).poll_read(context, buffer))?;
        wire.note_received(&buffer.filled()[before..]);
        Poll::Ready(if wire.is_flooded { Err(io::Error::other("too many frames")) } else { Ok(()) })
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        let wire = &mut *self.0.borrow_mut();
        let length = ready!(wire.outgoing.poll_write(&mut wire.io, context, parts))?;
        let mut left = length;
        for part in parts {
            let written = part.len().min(left);
            wire.note_sent(&part[..written]);
            left -= written;
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: h2 asks for it behind each part of a body. [`Shared::poll_send`] sends all of them together.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().io).poll_shutdown(context)
    }
}
