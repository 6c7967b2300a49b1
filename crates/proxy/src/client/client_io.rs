//! A client's connection as hyper reads and writes it: it keeps the bytes of heads, and ends where a client stops reading.

use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep, timeout},
};

use crate::{
    frames::PREFACE,
    head::raw_head::RawHead,
    limits::room::{Reads, Room},
    telemetry::Limit,
    transport::Transport,
};

/// The state of a connection, as its bytes show it, or of one stream of HTTP/2
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
    /// Whether the connection ends with the answer under way, because the bytes behind the request may be none of a request
    pub(crate) must_end: Cell<bool>,
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
    transport: Transport,
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
    pub(crate) fn new(transport: Transport, patience: Duration, room: Room) -> Self {
        Self { transport, unread: Bytes::new(), state: Rc::default(), patience, timer: None, reads: Reads::new(room) }
    }

    /// Waits until there is something to read, without a buffer for it; `false` if the connection ends instead.
    pub(crate) fn poll_more(&mut self, context: &mut Context) -> Poll<bool> {
        if self.unread.is_empty() { self.transport.poll_more(context) } else { Poll::Ready(true) }
    }

    /// Whether the client speaks HTTP/2: by ALPN, or without TLS by the preface, if it comes in time. The bytes that tell it stay
    /// unread.
    pub(crate) async fn speaks_http2(&mut self, limit: Duration) -> bool {
        timeout(limit, poll_fn(|context| self.poll_http2(context))).await == Ok(true)
    }

    fn poll_http2(&mut self, context: &mut Context) -> Poll<bool> {
        if !self.transport.is_plain() {
            return Poll::Ready(self.transport.speaks_http2());
        }
        while PREFACE.starts_with(&self.unread) && self.unread.len() < PREFACE.len() {
            let mut room = [0; PREFACE.len()];
            let known = self.unread.len();
            room[..known].copy_from_slice(&self.unread);
            let mut buffer = ReadBuf::new(&mut room[known..]);
            let read = ready!(Pin::new(&mut self.transport).poll_read(context, &mut buffer));
            let length = buffer.filled().len();
            if read.is_err() || length == 0 {
                // hyper finds the same.
                return Poll::Ready(false);
            }
            self.unread = Bytes::copy_from_slice(&room[..known + length]);
        }
        Poll::Ready(self.unread == PREFACE)
    }

    /// Puts back what was read and not used; the next byte begins a head.
    pub(crate) fn put_back(&mut self, unread: Bytes) {
        // Also without bytes it may hold hyper's whole buffer.
        self.unread = if unread.is_empty() { Bytes::new() } else { unread };
        self.state.raw_head.begin();
        self.reads.end();
    }

    /// The bytes that follow are no HTTP; these have been read already.
    pub(crate) fn become_tunnel(&mut self, read: Bytes) {
        self.state.raw_head.stop();
        self.reads.begin_tunnel();
        self.unread = if self.unread.is_empty() { read } else { [read, self.unread.split_off(0)].concat().into() };
    }

    /// The bytes that were read and not used
    pub(crate) fn take_unread(&mut self) -> Bytes {
        mem::take(&mut self.unread)
    }

    /// Whether there is memory for more of a head behind these bytes of it
    pub(crate) fn has_room_behind(&self, bytes: usize) -> bool {
        let has_room = self.reads.have_room_behind(bytes);
        self.state.lacks_memory.set(!has_room);
        has_room
    }

    /// The bytes below HTTP
    pub(crate) fn transport_mut(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let _ = self.transport.set_zero_linger();
    }

    /// Writes an answer where hyper does not, behind all that it has written.
    pub(crate) async fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        self.transport.write_all(answer).await
    }

    /// Tells the client that nothing more comes.
    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.transport.shutdown().await
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
        // Without a reset, the kernel would keep the bytes that the client does not read.
        let _ = self.transport.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if !this.unread.is_empty() {
            let length = this.unread.len().min(buffer.remaining());
            buffer.put_slice(&this.unread.split_to(length));
        }
        // Bytes that were read before may be the beginning of a head only: its rest comes with them.
        if this.unread.is_empty() && buffer.remaining() > 0 {
            if !this.has_room_behind(this.state.raw_head.length()) {
                return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
            }
            match Pin::new(&mut (&mut this.transport).take(this.reads.limit())).poll_read(context, buffer) {
                Poll::Ready(Ok(())) => this.reads.note(buffer.filled().len() - before),
                _ if buffer.filled().len() > before => (),
                other => return other,
            }
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
        let written = Pin::new(&mut this.transport).poll_write(context, bytes);
        this.watched(written, context)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.state.owes.get() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let written = Pin::new(&mut this.transport).poll_write_vectored(context, parts);
        this.watched(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    /// hyper asks for it when it has written all that it has. TLS may have taken bytes that the
    /// kernel does not take yet.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.state.is_answering.get() {
            this.state.owes.set(false);
        }
        let flushed = Pin::new(&mut this.transport).poll_flush(context);
        if this.transport.is_plain() { flushed } else { this.watched(flushed, context) }
    }

    /// Does nothing: hyper ends its part also where the connection goes on. [`ClientIo::end`] ends the connection.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use harness::Authority;
    use rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::transport::socket::Socket;

    /// A connection with TLS to a client that reads nothing
    async fn unread(patience: Duration) -> (ClientIo, impl Sized) {
        let authority = Authority::new();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(authority.server(&["localhost"]));
        let (client, server) = tokio::join!(
            connector.connect(ServerName::try_from("localhost").unwrap(), client),
            acceptor.accept(Socket::Tcp(server)),
        );
        let io = ClientIo::new(server.unwrap().into(), patience, Room::default());
        io.state.owes.set(true);
        io.state.is_answering.set(true);
        (io, client.unwrap())
    }

    #[tokio::test]
    async fn bytes_that_tls_holds_wait_no_longer_than_others() {
        let (mut io, _client) = unread(Duration::from_millis(300)).await;
        let writing = async {
            loop {
                io.write_all(&[0; 1024]).await?;
                io.flush().await?;
            }
        };
        let ended: io::Result<()> = timeout(harness::DEADLINE, writing).await.expect("an end in time");
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(io.state.is_blocked.get());
    }
}
