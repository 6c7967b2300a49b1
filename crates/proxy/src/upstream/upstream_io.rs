//! A connection to an upstream as hyper reads and writes it: it counts, so that a retry knows what was sent, and it reads the answer
//! of an upstream that closed before it had read the whole request.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::{
    limits::room::{Reads, Room},
    transport::Transport,
    upstream::{
        blocks::{Blocks, TOO_LONG},
        sent_head::SentHead,
    },
};

/// Bytes of interim answers (1xx) and of the head behind them, with what hyper reads ahead. It would read without an end, and let
/// no other connection of the worker have a turn.
const HEADS_LIMIT: u64 = 256 * 1024;

/// Bytes over a connection since it was made, and whether a request uses it
pub(crate) struct Traffic {
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
    /// How many bytes may have been received before the head of the answer that is waited for
    head_end: Cell<u64>,
    pub(crate) sent_head: SentHead,
    /// Whether hyper has written all that it had
    is_flushed: Cell<bool>,
    has_answered: Cell<bool>,
    idle_since: Cell<Option<Instant>>,
    is_closed: Cell<bool>,
    /// The alert with which the upstream has ended TLS. With TLS 1.3 it may refuse a client certificate after the handshake.
    alert: RefCell<Option<String>>,
    /// Whether the bytes are those of a tunnel, whose writer must learn of a reset
    is_tunnel: Cell<bool>,
    pub(crate) reads: Rc<Reads>,
    /// Connections that a request uses
    active: IntGauge,
    /// Connections that are kept
    idle: IntGauge,
}

impl Traffic {
    /// Of a connection that a request uses
    pub(crate) fn new(active: IntGauge, idle: IntGauge, room: Room) -> Self {
        active.inc();
        Self {
            sent: Cell::default(),
            received: Cell::default(),
            head_end: Cell::new(u64::MAX),
            sent_head: SentHead::default(),
            is_flushed: Cell::new(true),
            has_answered: Cell::default(),
            idle_since: Cell::default(),
            is_closed: Cell::default(),
            alert: RefCell::default(),
            is_tunnel: Cell::default(),
            reads: Rc::new(Reads::new(room)),
            active,
            idle,
        }
    }

    /// Since when no request uses it
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.idle_since.get()
    }

    /// From now on a request uses it, or none does.
    pub(crate) fn set_idle_since(&self, since: Option<Instant>) {
        let was_idle = self.idle_since.replace(since).is_some();
        if self.is_closed.get() || was_idle == since.is_some() {
            return;
        }
        let change = if was_idle { -1 } else { 1 };
        self.idle.add(change);
        self.active.sub(change);
    }

    /// A request begins, whose head is kept for a second attempt if it is wanted.
    pub(crate) fn begin_request(&self, is_head_wanted: bool) {
        // The end of the request before would stand in front of the head.
        self.sent_head.begin(is_head_wanted && self.is_flushed.get());
        self.head_end.set(self.received.get() + HEADS_LIMIT);
    }

    /// The head of the answer has come.
    pub(crate) fn end_head(&self) {
        self.head_end.set(u64::MAX);
    }

    /// An answer has come; whether it is the first one.
    pub(crate) fn is_first_answer(&self) -> bool {
        !self.has_answered.replace(true)
    }

    /// The alert with which the upstream has ended TLS, as text with a remedy
    pub(crate) fn alert(&self) -> Option<String> {
        self.alert.borrow().clone()
    }

    /// The connection is no HTTP any more.
    pub(crate) fn begin_tunnel(&self) {
        self.is_tunnel.set(true);
        self.reads.begin_tunnel();
    }

    fn offered(&self, parts: &[IoSlice]) {
        self.is_flushed.set(false);
        self.sent_head.note(parts);
    }

    /// A write has been tried: whether its bytes wait for the upstream to read. A body may have waited for the end of that.
    fn set_blocked(&self, is_blocked: bool, context: &Context) {
        if self.reads.set_blocked(is_blocked) && !is_blocked {
            context.waker().wake_by_ref();
        }
    }

    fn failed(&self, error: &io::Error) {
        if let Some(alert @ rustls::Error::AlertReceived(_)) = endpoint::tls_error(error) {
            self.alert.replace(Some(endpoint::tls_error_text(alert)));
        }
    }

    fn close(&self) {
        self.is_closed.set(true);
        let gauge = if self.idle_since.get().is_some() { &self.idle } else { &self.active };
        gauge.dec();
    }
}

/// A connection to an upstream
///
/// An upstream may answer early, for example with 413, and close while the rest of the request is on its way. Its system then
/// sends a reset behind the answer. hyper gives a connection up at the first write that fails, and the answer with it. So bytes
/// that cannot be sent any more are dropped, and only reading says how the connection ended.
pub(crate) struct UpstreamIo {
    transport: Transport,
    traffic: Rc<Traffic>,
    /// The upstream has reset the connection, as a write has found
    is_reset: bool,
    /// Of HTTP/2
    blocks: Option<Blocks>,
}

impl UpstreamIo {
    pub(crate) fn new(transport: Transport, traffic: Rc<Traffic>) -> Self {
        Self { transport, traffic, is_reset: false, blocks: None }
    }

    /// The connection speaks HTTP/2: blocks of fields that are too long end it.
    pub(crate) fn bound_blocks(&mut self) {
        self.blocks = Some(Blocks::new());
    }

    /// The length that hyper gets to know after a write: all of `length` once nothing can be sent any more.
    fn written(&mut self, result: io::Result<usize>, length: usize) -> io::Result<usize> {
        match result {
            Ok(written) => {
                self.traffic.sent.update(|sent| sent + written as u64);
                Ok(written)
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
                    && !self.traffic.is_tunnel.get() =>
            {
                self.is_reset = true;
                Ok(length)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for UpstreamIo {
    fn drop(&mut self) {
        self.traffic.close();
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let limit = this.traffic.reads.limit();
        let read = ready!(Pin::new(&mut (&mut this.transport).take(limit)).poll_read(context, buffer));
        read.inspect_err(|error| this.traffic.failed(error))?;
        let length = buffer.filled().len() - before;
        this.traffic.reads.note(length);
        let received = this.traffic.received.get() + length as u64;
        this.traffic.received.set(received);
        let read = &buffer.filled()[before..];
        let is_block_too_long = this.blocks.as_mut().is_some_and(|blocks| blocks.are_too_long(read));
        if is_block_too_long || received > this.traffic.head_end.get() {
            return Poll::Ready(Err(TOO_LONG.into()));
        }
        // The system reports a reset once, and the write has had it. An answer that ends with the connection must not look whole.
        if this.is_reset && buffer.filled().len() == before {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.traffic.offered(&[IoSlice::new(bytes)]);
        if this.is_reset {
            return Poll::Ready(Ok(bytes.len()));
        }
        let tried = Pin::new(&mut this.transport).poll_write(context, bytes);
        this.traffic.set_blocked(tried.is_pending(), context);
        let result = ready!(tried);
        Poll::Ready(this.written(result, bytes.len()))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.traffic.offered(parts);
        let length = parts.iter().map(|part| part.len()).sum();
        if this.is_reset {
            return Poll::Ready(Ok(length));
        }
        let tried = Pin::new(&mut this.transport).poll_write_vectored(context, parts);
        this.traffic.set_blocked(tried.is_pending(), context);
        let result = ready!(tried);
        Poll::Ready(this.written(result, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    /// hyper asks for it when it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.traffic.is_flushed.set(true);
        Pin::new(&mut this.transport).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}
