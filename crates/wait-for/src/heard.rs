//! A stream that knows whether the server has spoken: an end before its first word can have other
//! causes than one amid its words.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use endpoint::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose end or reset is [`io::ErrorKind::UnexpectedEof`] once the server has spoken
pub(crate) struct Heard<S> {
    stream: S,
    has_heard: bool,
}

impl<S> Heard<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, has_heard: false }
    }

    fn judged<T>(&self, result: io::Result<T>) -> io::Result<T> {
        use io::ErrorKind as Kind;
        const CLOSED: [Kind; 3] = [Kind::ConnectionReset, Kind::ConnectionAborted, Kind::BrokenPipe];
        result.map_err(|error| match error.kind() {
            kind if self.has_heard && CLOSED.contains(&kind) => Kind::UnexpectedEof.into(),
            _ => error,
        })
    }
}

impl<S: Stream> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let has_room = buffer.remaining() > 0;
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        let is_end = read.is_ok() && has_room && buffer.filled().len() == before;
        if is_end && self.has_heard {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.has_heard |= buffer.filled().len() > before;
        Poll::Ready(self.judged(read))
    }
}

impl<S: Stream> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.judged(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn an_end_is_a_fault_once_the_server_has_spoken() {
        let (ours, theirs) = duplex(64);
        drop(theirs);
        assert_eq!(Heard::new(ours).read(&mut [0; 4]).await.unwrap(), 0);
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"hi").await.unwrap();
        drop(theirs);
        let mut heard = Heard::new(ours);
        assert_eq!(heard.read(&mut [0; 4]).await.unwrap(), 2);
        assert_eq!(heard.read(&mut [0; 4]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
