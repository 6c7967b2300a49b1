//! A client's connection as hyper reads and writes it: it keeps the bytes of heads, and ends where a client stops reading.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use crate::{
    head::raw_head::RawHead,
    limits::room::{Reads, Room},
    telemetry::Limit,
};

/// The state of a connection, as its bytes show it
#[derive(Debug, Default)]
pub(crate) struct ClientState {
    pub(crate) raw_head: RawHead,
    /// Whether bytes wait for the client to read
    pub(crate) is_blocked: Cell<bool>,
    /// Whether the client has closed its side
    pub(crate) has_ended: Cell<bool>,
    /// Whether a request has no answer yet, or hyper has not taken all of the answer's body
    pub(crate) is_answering: Cell<bool>,
    /// Whether bytes of an answer may wait to be written. If none do, and hyper writes, it answers a head that it could not read.
    pub(crate) owes: Cell<bool>,
    /// Whether there was no memory for a long head
    pub(crate) lacks_memory: Cell<bool>,
    /// The bound at which the client had not read enough
    pub(crate) met: Cell<Option<Limit>>,
    /// When the answer under way must have been written
    pub(crate) deadline: Cell<Option<Instant>>,
    /// Whether that time has passed, as `Deadlines` finds.
    pub(crate) is_late: Cell<bool>,
}

/// A client's connection
pub(crate) struct ClientIo {
    stream: TcpStream,
    /// Bytes that were read before and not used
    unread: Bytes,
    pub(crate) state: Rc<ClientState>,
    /// How long the client may read nothing
    patience: Duration,
    /// Runs while the client reads nothing
    timer: Option<Pin<Box<Sleep>>>,
    reads: Reads,
}

impl ClientIo {
    pub(crate) fn new(stream: TcpStream, patience: Duration, room: Room) -> Self {
        let state: Rc<ClientState> = Rc::default();
        Self { stream, unread: Bytes::new(), state, patience, timer: None, reads: Reads::new(room) }
    }

    /// Waits until there is something to read, without a buffer for it; `false` if the connection ends instead.
    pub(crate) fn poll_more(&self, context: &mut Context) -> Poll<bool> {
        if !self.unread.is_empty() {
            return Poll::Ready(true);
        }
        // tokio's `readable` may resolve before there is anything.
        self.stream.poll_peek(context, &mut ReadBuf::new(&mut [0])).map(|peeked| peeked.is_ok_and(|length| length > 0))
    }

    /// Puts back what was read and not used; the next byte begins a head.
    pub(crate) fn put_back(&mut self, unread: Bytes) {
        // Also without bytes it may hold hyper's whole buffer.
        self.unread = if unread.is_empty() { Bytes::new() } else { unread };
        self.state.raw_head.begin();
        self.reads.end();
    }

    /// Writes an answer where hyper does not, behind all that it has written.
    pub(crate) async fn answer(&mut self, answer: &str) -> io::Result<()> {
        self.stream.write_all(answer.as_bytes()).await
    }

    /// Tells the client that nothing more comes.
    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Keeps the time of a write that waits, and ends it when the patience with the client or the answer's time is over.
    fn watched<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context) -> Poll<io::Result<T>> {
        let was_blocked = self.state.is_blocked.replace(written.is_pending());
        if was_blocked && written.is_ready() {
            // A body may have waited for this.
            context.waker().wake_by_ref();
        }
        if written.is_ready() {
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(Instant::now() + self.patience);
            }
            return written;
        }
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        // A client that reads a little now and then has no more time than any other.
        if let Some(deadline) = self.state.deadline.get()
            && deadline < timer.deadline()
        {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let is_late = self.state.deadline.get().is_some_and(|deadline| deadline <= Instant::now());
        self.state.met.set(Some(if is_late { Limit::RequestTimeout } else { Limit::IdleTimeout }));
        // Without a reset, the kernel would keep what nobody reads.
        let _ = self.stream.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.unread.is_empty() {
            if !this.reads.have_room_behind(this.state.raw_head.length()) {
                this.state.lacks_memory.set(true);
                return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
            }
            match Pin::new(&mut (&mut this.stream).take(this.reads.limit())).poll_read(context, buffer) {
                Poll::Ready(Ok(())) => this.reads.note(buffer.filled().len() - before),
                other => return other,
            }
        } else {
            let length = this.unread.len().min(buffer.remaining());
            buffer.put_slice(&this.unread.split_to(length));
        }
        let read = &buffer.filled()[before..];
        this.state.has_ended.set(read.is_empty());
        this.state.raw_head.note(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.state.owes.get() {
            // The proxy says more about it than hyper does.
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watched(written, context)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.state.owes.get() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.watched(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper asks for it when it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.state.is_answering.get() {
            this.state.owes.set(false);
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    /// Does nothing: hyper ends its part also where the connection goes on. [`ClientIo::end`] ends the connection.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
