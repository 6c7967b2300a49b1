//! The first bytes of an answer: they tell what a server speaks where the HTTP library cannot.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use endpoint::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of the head of an HTTP/2 frame (RFC 9113, section 4.1)
const LENGTH: usize = 9;

/// The language of an answer, by its first bytes
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Nothing,
    /// A TLS record that is an alert (RFC 8446, section 5.1)
    TlsAlert,
    /// A SETTINGS frame, with which every HTTP/2 server begins (RFC 9113, section 3.4)
    Http2,
    Other,
}

impl Opening {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::Nothing,
            [21, 3, ..] => Self::TlsAlert,
            // Type 4 on stream 0, and a length far below 64 KiB
            [0, _, _, 4, _, 0, 0, 0, 0] => Self::Http2,
            _ => Self::Other,
        }
    }
}

/// The first bytes that have arrived on a stream, for a holder beside the stream
#[derive(Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Vec<u8>>>);

impl Noted {
    pub(super) fn opening(&self) -> Opening {
        Opening::of(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, bytes: &[u8]) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = LENGTH - noted.len();
        noted.extend(bytes.iter().take(missing));
    }
}

/// The server has gone while we wrote: its last words, which may have arrived, say why.
fn left_to_reader<T>(written: io::Result<T>, all: T) -> io::Result<T> {
    match written {
        Err(error) if [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].contains(&error.kind()) => Ok(all),
        written => written,
    }
}

/// A stream whose first bytes are noted
pub(super) struct Noting<S> {
    stream: S,
    noted: Noted,
}

impl<S> Noting<S> {
    pub(super) fn new(stream: S) -> (Self, Noted) {
        let noted = Noted::default();
        (Self { stream, noted: noted.clone() }, noted)
    }
}

impl<S: Stream> AsyncRead for Noting<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.noted.note(&buffer.filled()[before..]);
        Poll::Ready(read)
    }
}

impl<S: Stream> AsyncWrite for Noting<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(left_to_reader(written, bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(left_to_reader(flushed, ()))
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
    async fn the_first_bytes_tell_the_language() {
        for (bytes, opening) in [
            (&b""[..], Opening::Nothing),
            (b"\x15\x03\x01\0\x02\x02\x46", Opening::TlsAlert),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64", Opening::Http2),
            (b"HTTP/1.1 200 OK\r\n", Opening::Other),
            (b"\0\0\x12\x04", Opening::Other),
        ] {
            let (ours, mut theirs) = duplex(64);
            theirs.write_all(bytes).await.unwrap();
            drop(theirs);
            let (mut stream, noted) = Noting::new(ours);
            let mut read = Vec::new();
            // In parts, as they come from a network
            while stream.read_buf(&mut (&mut read as &mut Vec<u8>)).await.unwrap() > 0 {}
            assert_eq!((noted.opening(), read.as_slice()), (opening, bytes));
        }
    }
}
