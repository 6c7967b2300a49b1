//! The end of a client's connection: the client reads the last words before the socket is gone.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{self, Instant},
};

use crate::transport::Transport;

/// How long a client whose connection ends may go on sending, so that it reads the last words
/// before the reset that unread bytes would cause (RFC 9112, section 9.6)
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are thrown away in that time
const LINGER_LIMIT: usize = 256 * 1024;
/// The same for a client that has not read all
const LINGER_OF_READER: Duration = Duration::from_secs(30);
/// How often the end looks whether the kernel has sent all
const LOOK: Duration = Duration::from_millis(100);

/// Ends a connection so that the client can read what was written last: an answer, or an alert of
/// TLS.
pub(crate) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let ending = async {
        // The client may have gone already.
        let _ = stream.shutdown().await;
        let mut left = LINGER_LIMIT;
        while discard(stream, &mut left, |_| ()).await {}
    };
    let _ = time::timeout(LINGER, ending).await;
}

/// The same where a client also sends while it reads, as one of HTTP/2 does: the kernel may have
/// megabytes for it, and would throw them away at the first bytes that come behind the close. The
/// end waits until the kernel has sent all, and then for as long as the client sends bytes that say
/// that it reads.
pub(crate) async fn linger_with_reader(transport: &mut Transport, mut says_it_reads: impl FnMut(&[u8]) -> bool) {
    let ending = async {
        let mut left = LINGER_LIMIT;
        while transport.socket().has_unsent() {
            let discarding = discard(transport, &mut left, |bytes| {
                says_it_reads(bytes);
            });
            if let Ok(false) = time::timeout(LOOK, discarding).await {
                return;
            }
        }
        let _ = time::timeout(LINGER, transport.shutdown()).await;
        let mut until = Instant::now() + LINGER;
        loop {
            let mut reads = false;
            let discarding = discard(transport, &mut left, |bytes| reads = says_it_reads(bytes));
            let Ok(true) = time::timeout_at(until, discarding).await else { break };
            if reads {
                until = Instant::now() + LINGER;
            }
        }
    };
    let _ = time::timeout(LINGER_OF_READER, ending).await;
}

/// Throws away the bytes that have come, once they were seen; `false` at the end, or when they were
/// too many.
async fn discard(stream: &mut (impl AsyncRead + Unpin), left: &mut usize, mut seen: impl FnMut(&[u8])) -> bool {
    let length = poll_fn(|context| poll_discard(stream, context, &mut seen)).await;
    *left = left.saturating_sub(length.unwrap_or(*left));
    *left > 0
}

/// Reads into a room on the stack, because a future with room would hold it while it waits; nothing
/// at the end.
fn poll_discard(
    stream: &mut (impl AsyncRead + Unpin),
    context: &mut Context,
    seen: &mut impl FnMut(&[u8]),
) -> Poll<Option<usize>> {
    let mut room = [0; 4096];
    let mut room = ReadBuf::new(&mut room);
    let read = ready!(Pin::new(stream).poll_read(context, &mut room));
    seen(room.filled());
    Poll::Ready(Some(room.filled().len()).filter(|length| read.is_ok() && *length > 0))
}
