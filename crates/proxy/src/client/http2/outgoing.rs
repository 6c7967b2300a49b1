//! Bytes on their way to a client, which are sent together: h2 writes and flushes each part of an answer's body by itself, and
//! often the answers of several streams are ready at the same time.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

use crate::client::client_io::ClientIo;

/// Bytes that wait at most: those of the largest record of TLS
const ROOM: usize = 16 * 1024;

thread_local! {
    /// The buffer of a worker's connections: what one of them has written is sent before the next one writes, unless the client
    /// does not read.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that h2 has written
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them have been sent
    sent: usize,
}

impl Outgoing {
    /// Keeps bytes for the next [`Self::poll_send`]. Larger parts are sent at once, behind those that wait.
    pub(super) fn poll_write(
        &mut self,
        io: &mut ClientIo,
        context: &mut Context,
        parts: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if self.bytes.len() + length > ROOM {
            ready!(self.poll_send(io, context))?;
        }
        if length > ROOM {
            return Pin::new(io).poll_write_vectored(context, parts);
        }
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
            self.bytes.reserve(ROOM);
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        Poll::Ready(Ok(length))
    }

    /// Sends what waits. An error ends the connection, and nothing waits any more.
    pub(super) fn poll_send(&mut self, io: &mut ClientIo, context: &mut Context) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let written = match ready!(Pin::new(&mut *io).poll_write(context, &self.bytes[self.sent..])) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                written => written,
            };
            match written {
                Ok(length) => self.sent += length,
                Err(error) => {
                    *self = Self::default();
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > 0 {
            SPARE.set(mem::take(&mut self.bytes));
        }
        Pin::new(io).poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
        task,
    };

    use super::*;
    use crate::{limits::room::Room, transport::socket::Socket};

    async fn pair() -> (ClientIo, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let io = ClientIo::new(Socket::Tcp(server).into(), Duration::from_secs(60), Room::default());
        io.state.owes.set(true);
        io.state.is_answering.set(true);
        (io, client)
    }

    async fn write(outgoing: &mut Outgoing, io: &mut ClientIo, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let written = poll_fn(|context| outgoing.poll_write(io, context, &[IoSlice::new(left)])).await;
            left = &left[written.unwrap()..];
        }
    }

    #[tokio::test]
    async fn small_parts_are_sent_together_and_large_ones_at_once() {
        let (mut io, client) = pair().await;
        let mut outgoing = Outgoing::default();
        write(&mut outgoing, &mut io, b"one ").await;
        write(&mut outgoing, &mut io, b"two").await;
        let mut read = [0; 64];
        assert_eq!(client.try_read(&mut read).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        poll_fn(|context| outgoing.poll_send(&mut io, context)).await.unwrap();
        client.readable().await.unwrap();
        assert_eq!(client.try_read(&mut read).unwrap(), 7);
        assert_eq!(&read[..7], b"one two");
        write(&mut outgoing, &mut io, &vec![b'x'; ROOM + 1]).await;
        client.readable().await.unwrap();
        assert!(client.try_read(&mut read).unwrap() > 0);
    }

    #[tokio::test]
    async fn all_comes_in_order_to_a_client_that_reads_late() {
        let (mut io, mut client) = pair().await;
        let expected: Vec<u8> = (0..8_000_000_u32).map(|index| (index / 1000).to_le_bytes()[0]).collect();
        let sent = expected.clone();
        let sender = async move {
            let mut outgoing = Outgoing::default();
            for (index, part) in sent.chunks(50_000).enumerate() {
                let (small, large) = part.split_at(index * 100);
                write(&mut outgoing, &mut io, small).await;
                write(&mut outgoing, &mut io, large).await;
            }
            poll_fn(|context| outgoing.poll_send(&mut io, context)).await.unwrap();
        };
        let local = task::LocalSet::new();
        local.spawn_local(sender);
        let mut received = Vec::new();
        local.run_until(client.read_to_end(&mut received)).await.unwrap();
        assert!(received == expected);
    }
}
