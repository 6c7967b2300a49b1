//! A socket of the network or of the file system.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::event::{self, PollFd, PollFlags, Timespec};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// A connected socket
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Sends each write at once: an event of a stream must not wait for the one before to be acknowledged.
    pub(crate) fn set_nodelay(&self) {
        if let Self::Tcp(stream) = self {
            let _ = stream.set_nodelay(true);
        }
    }

    /// Waits until there is something to read, without a buffer for it; `false` if the connection ends instead.
    pub(crate) fn poll_more(&self, context: &mut Context) -> Poll<bool> {
        match self {
            // tokio's `readable` may resolve before there is anything.
            Self::Tcp(stream) => {
                let peeked = stream.poll_peek(context, &mut ReadBuf::new(&mut [0]));
                peeked.map(|peeked| peeked.is_ok_and(|length| length > 0))
            }
            Self::Unix(stream) => loop {
                if ready!(stream.poll_read_ready(context)).is_err() {
                    return Poll::Ready(false);
                }
                let peek = || SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
                match stream.try_io(Interest::READABLE, peek) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                    peeked => return Poll::Ready(peeked.is_ok_and(|length| length > 0)),
                }
            },
        }
    }

    /// The next byte, without taking it, once there is something to read; nothing where the socket is of the file system, which
    /// the libraries cannot ask without `unsafe`.
    pub(crate) async fn peek(&self) -> Option<u8> {
        let Self::Tcp(stream) = self else { return None };
        let mut byte = [0];
        stream.peek(&mut byte).await.ok().filter(|length| *length > 0).map(|_| byte[0])
    }

    /// Whether bytes that were written wait in the kernel, because the other side has no room for
    /// them. Those that are on the way to a socket of the file system are there already.
    pub(crate) fn has_unsent(&self) -> bool {
        let Self::Tcp(stream) = self else { return false };
        // From now on the socket can be written only once all is sent.
        let is_set = SockRef::from(stream).set_tcp_notsent_lowat(1).is_ok();
        let mut sockets = [PollFd::new(stream, PollFlags::OUT)];
        is_set && event::poll(&mut sockets, Some(&Timespec::default())) == Ok(0)
    }

    /// Lets the end of the connection be a reset, where the network knows one.
    pub(crate) fn set_zero_linger(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_zero_linger(),
            Self::Unix(_) => Ok(()),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context, parts: &[IoSlice]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
