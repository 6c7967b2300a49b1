//! The bytes below HTTP, to a client or to an upstream: plain or TLS.

pub(crate) mod linger;
pub(crate) mod socket;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsStream, client, server};

use self::socket::Socket;

/// A connection, whichever side began it
pub(crate) enum Transport {
    Plain(Socket),
    /// In a box, because a session takes a kilobyte
    Tls(Box<TlsStream<Socket>>),
}

impl Transport {
    /// Waits until there is something to read, without a buffer for it; `false` if the connection ends instead.
    pub(crate) fn poll_more(&mut self, context: &mut Context) -> Poll<bool> {
        match self {
            Self::Plain(socket) => socket.poll_more(context),
            // Only this tells application data from tickets, key updates and alerts.
            Self::Tls(stream) => read_tls(stream, context, |stream, context| {
                stream.poll_fill_buf(context).map(|read| read.is_ok_and(|bytes| !bytes.is_empty()))
            }),
        }
    }

    /// Lets the end of the connection be a reset.
    pub(crate) fn set_zero_linger(&self) -> io::Result<()> {
        self.socket().set_zero_linger()
    }

    /// Whether the two sides agreed on HTTP/2 by ALPN
    pub(crate) fn speaks_http2(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// Reads, and sends at once what TLS itself answers, for example to a request to renegotiate. It
/// would otherwise wait for the next answer of HTTP, and the other side waits for it.
fn read_tls<T>(
    stream: &mut TlsStream<Socket>,
    context: &mut Context,
    read: impl FnOnce(Pin<&mut TlsStream<Socket>>, &mut Context) -> Poll<T>,
) -> Poll<T> {
    let was_writing = stream.get_ref().1.wants_write();
    let read = read(Pin::new(stream), context);
    if !was_writing && stream.get_ref().1.wants_write() {
        // Bytes that the socket does not take now go with the next write.
        let _ = Pin::new(stream).poll_flush(context);
    }
    read
}

impl From<Socket> for Transport {
    fn from(socket: Socket) -> Self {
        Self::Plain(socket)
    }
}

impl From<server::TlsStream<Socket>> for Transport {
    fn from(stream: server::TlsStream<Socket>) -> Self {
        Self::Tls(Box::new(stream.into()))
    }
}

impl From<client::TlsStream<Socket>> for Transport {
    fn from(stream: client::TlsStream<Socket>) -> Self {
        Self::Tls(Box::new(stream.into()))
    }
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls(stream) => read_tls(stream, context, |stream, context| stream.poll_read(context, buffer)),
        }
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(context, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
