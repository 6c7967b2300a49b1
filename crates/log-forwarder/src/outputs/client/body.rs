//! A request's body that tells when it was asked for its last byte.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// The body goes out in pieces, so that an answer that comes before its end can be recognised.
const PIECE: usize = 64 * 1024;

/// A body in pieces
pub(super) struct Pieces {
    rest: Bytes,
    sent: Arc<AtomicBool>,
}

impl Pieces {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { sent: Arc::new(bytes.is_empty().into()), rest: bytes }
    }

    /// Becomes true with the last byte.
    pub(super) fn sent(&self) -> Arc<AtomicBool> {
        self.sent.clone()
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.rest.is_empty() {
            self.sent.store(true, Relaxed);
        }
        Poll::Ready((length > 0).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
