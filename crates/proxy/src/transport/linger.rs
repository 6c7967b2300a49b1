//! The end of a client's connection: the client reads the last words before the socket is gone.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time,
};

/// How long a client whose connection ends may go on sending, so that it reads the last words
/// before the reset that unread bytes would cause (RFC 9112, section 9.6)
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are thrown away in that time
const LINGER_LIMIT: usize = 256 * 1024;

/// Ends a connection so that the client can read what was written last: an answer, or an alert of
/// TLS.
pub(crate) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let ending = async {
        // The client may have gone already.
        let _ = stream.shutdown().await;
        let mut left = LINGER_LIMIT;
        while let Some(length) = poll_fn(|context| poll_discard(stream, context)).await
            && left > length
        {
            left -= length;
        }
    };
    let _ = time::timeout(LINGER, ending).await;
}

/// Reads into a room on the stack, because a future with room would hold it while it waits; nothing
/// at the end.
fn poll_discard(stream: &mut (impl AsyncRead + Unpin), context: &mut Context) -> Poll<Option<usize>> {
    let mut room = [0; 4096];
    let mut room = ReadBuf::new(&mut room);
    let read = ready!(Pin::new(stream).poll_read(context, &mut room));
    Poll::Ready(Some(room.filled().len()).filter(|length| read.is_ok() && *length > 0))
}
