//! The end of a connection: the client reads the last answer before the socket is gone.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time,
};

use crate::client::client_io::ClientIo;

/// How long a client whose connection ends may go on sending, so that it reads the answer before the reset that bytes nobody
/// reads would cause (RFC 9112, section 9.6)
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are thrown away in that time
const LINGER_LIMIT: usize = 256 * 1024;

/// Ends a connection so that the client can read the last answer.
pub(super) async fn linger(mut io: ClientIo) {
    let reading = async {
        let _ = io.end().await;
        let mut left = LINGER_LIMIT;
        while let Some(length) = poll_fn(|context| poll_discard(&mut io, context)).await
            && left > length
        {
            left -= length;
        }
    };
    let _ = time::timeout(LINGER, reading).await;
}

/// Reads into a room on the stack, because a future with room would hold it while it waits; nothing at the end.
fn poll_discard(io: &mut ClientIo, context: &mut std::task::Context) -> Poll<Option<usize>> {
    let mut room = [0; 4096];
    let mut room = ReadBuf::new(&mut room);
    let read = ready!(Pin::new(io).poll_read(context, &mut room));
    Poll::Ready(Some(room.filled().len()).filter(|length| read.is_ok() && *length > 0))
}
