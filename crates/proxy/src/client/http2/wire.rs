//! The bytes of an HTTP/2 connection. Their frames are counted on their way, in both directions, and the connection ends where a
//! client sends too many that serve no request.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use h2::Reason;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::outgoing::Outgoing;
use crate::{
    client::client_io::ClientIo,
    head::frames::{Frame, Frames, Kind, allowance::Allowance},
    refusal::Refusal,
};

/// Bytes of a block that has a status alone: an index, or the index of the name and three digits
const STATUS: u32 = 8;

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
    pub(super) io: ClientIo,
    outgoing: Outgoing,
    begun: Instant,
    received: Frames,
    sent: Frames,
    allowance: Allowance,
    is_flooded: bool,
    /// Bytes of heads in this turn
    heads: u32,
    /// Whether anything has been sent
    has_begun: bool,
    /// The highest stream that the client has opened
    last_stream: u32,
    /// Streams that the client has opened, and of which no refusal has been told
    opened: u64,
    /// The stream of the last answer that was a short head alone
    last_short_head: u32,
    /// The streams that h2 may have refused since the last look; nothing stands for a stream too
    /// many
    refused: Vec<Option<Refusal>>,
}

impl Shared {
    pub(super) fn new(io: ClientIo) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            io,
            outgoing: Outgoing::default(),
            begun: Instant::now(),
            received: Frames::of_client(),
            sent: Frames::of_server(),
            allowance: Allowance::new(),
            is_flooded: false,
            heads: 0,
            has_begun: false,
            last_stream: 0,
            opened: 0,
            last_short_head: 0,
            refused: Vec::new(),
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

    /// Whether a head or the header of a frame has begun, and not ended
    pub(super) fn is_in_head(&self) -> bool {
        self.0.borrow().received.is_in_head()
    }

    /// The heads that h2 has refused since the last time, where the proxy has seen this number of requests. Of requests that the proxy
    /// has seen, h2 may refuse the body, and an answer may be a short head or end in one.
    pub(super) fn take_refused(&self, requests: u64) -> Vec<Refusal> {
        let mut wire = self.0.borrow_mut();
        if wire.refused.is_empty() {
            return Vec::new();
        }
        let unseen = usize::try_from(wire.opened.saturating_sub(requests)).unwrap_or(usize::MAX);
        let mut refused = mem::take(&mut wire.refused);
        refused.truncate(unseen);
        wire.opened -= refused.len() as u64;
        refused.into_iter().flatten().collect()
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

    fn note_received(&mut self, read: &[u8]) {
        let Self { received, allowance, begun, is_flooded, heads, last_stream, opened, .. } = self;
        received.pass(read, |frame| {
            if frame.kind == Kind::Headers && frame.stream > *last_stream {
                *last_stream = frame.stream;
                *opened += 1;
            }
            if frame.is_of_head() {
                *heads = heads.saturating_add(frame.length);
            }
            *is_flooded |= !allowance.received(frame, || begun.elapsed());
        });
    }

    fn note_sent(&mut self, written: &[u8]) {
        self.has_begun = true;
        let Self { sent, allowance, last_short_head, refused, .. } = self;
        sent.pass(written, |frame| {
            allowance.wrote(frame);
            let code = Reason::from(frame.code);
            match frame.kind {
                // h2's own 431 has nothing but the status.
                Kind::Headers if frame.has(Frame::END_STREAM) && frame.length <= STATUS => {
                    *last_short_head = frame.stream;
                    refused.push(Some(Refusal::HeadTooLarge));
                }
                Kind::Reset if code == Reason::PROTOCOL_ERROR && *last_short_head != frame.stream => {
                    refused.push(Some(Refusal::BadHead));
                }
                Kind::Reset if code == Reason::REFUSED_STREAM => refused.push(None),
                _ => (),
            }
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
