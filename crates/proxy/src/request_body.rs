//! A request's body on its way to the upstream: counted, bounded and never slower than allowed.

pub(crate) mod pace;

use std::{
    cell::{Cell, OnceCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::{head::hop_by_hop, limits::room::Reads, refusal::Refusal, request_body::pace::Pace};

/// The fate of a body: shared with the request's task, because hyper's errors do not carry it
#[derive(Debug, Default)]
pub(crate) struct BodyFate {
    pub(crate) bytes: Cell<u64>,
    /// Why the client's body was given up
    pub(crate) refusal: Cell<Option<Refusal>>,
    /// Whether the client went before the end of it
    pub(crate) is_client_gone: Cell<bool>,
    /// Whether any of it was asked for
    pub(crate) was_read: Cell<bool>,
    /// Whether the upstream's connection waits for the client to send more
    pub(crate) is_awaited: Cell<bool>,
    /// Whether all of it has been read
    pub(crate) has_ended: Cell<bool>,
    /// How often its request was sent again
    pub(crate) retries: Cell<u32>,
}

/// The body of a request to an upstream
pub(crate) enum RequestBody {
    Empty,
    /// In a box, because a request moves a dozen times on its way, and most have no body
    Client(Box<ClientBody>),
}

/// A client's body
pub(crate) struct ClientBody {
    incoming: Incoming,
    fate: Rc<BodyFate>,
    limit: u64,
    pace: Pace,
    /// Of the connection that it goes to
    reads: OnceCell<Rc<Reads>>,
    /// The client's connection is in use as long as this is held
    _turn: Rc<()>,
}

/// The body was given up; `BodyFate` says why
#[derive(Debug)]
pub(crate) struct GivenUp;

impl std::fmt::Display for GivenUp {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the client's body was given up")
    }
}

impl std::error::Error for GivenUp {}

impl RequestBody {
    /// Takes at most `limit` bytes, at this pace. The fate of an empty body has ended before.
    pub(crate) fn of(incoming: Incoming, fate: Rc<BodyFate>, limit: u64, pace: Pace, turn: Rc<()>) -> Self {
        if fate.has_ended.get() {
            return Self::Empty;
        }
        Self::Client(Box::new(ClientBody { incoming, fate, limit, pace, reads: OnceCell::new(), _turn: turn }))
    }

    /// It goes over the connection with these reads.
    pub(crate) fn goes_to(&self, reads: &Rc<Reads>) {
        if let Self::Client(body) = self {
            // A body goes to a second connection only if the first has read nothing of it.
            let _ = body.reads.set(reads.clone());
        }
    }

    /// Whether there is none
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.incoming.size_hint(),
        }
    }
}

impl ClientBody {
    fn poll(&mut self, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        self.fate.was_read.set(true);
        // Where memory is short, nothing is read ahead for an upstream that does not read: its connection wakes this task.
        if self.reads.get().is_some_and(|reads| reads.must_wait()) {
            self.fate.is_awaited.set(false);
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        self.fate.is_awaited.set(polled.is_pending());
        let mut frame = match polled {
            Poll::Pending if self.pace.is_too_slow(context) => return self.give_up(Refusal::SlowBody),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {
                self.fate.has_ended.set(true);
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => {
                self.fate.is_client_gone.set(!is_malformed(&error));
                return self.give_up(Refusal::BadBody);
            }
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        if let Some(trailers) = frame.trailers_mut() {
            hop_by_hop::strip_trailers(trailers);
        }
        // hyper asks for nothing behind trailers, or behind the last byte of a known length.
        self.fate.has_ended.set(frame.is_trailers() || self.incoming.is_end_stream());
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        self.fate.bytes.update(|bytes| bytes + length);
        if self.fate.bytes.get() > self.limit {
            return self.give_up(Refusal::BodyTooLarge);
        }
        if self.pace.was_too_slow(length) {
            return self.give_up(Refusal::SlowBody);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn give_up(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        self.fate.refusal.set(Some(refusal));
        Poll::Ready(Some(Err(GivenUp)))
    }
}

/// Whether the bytes of the body are wrong. Any other error is the end of the client's connection.
fn is_malformed(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}
