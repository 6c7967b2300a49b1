//! A request's body on its way to the upstream: counted, bounded and never slower than allowed.

mod kept;
pub(crate) mod pace;

use std::{
    cell::{Cell, OnceCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use crate::{
    grpc::messages::Messages,
    head::{field_section, hop_by_hop},
    limits::{Limits, room::Reads},
    refusal::Refusal,
    request_body::{kept::Kept, pace::Pace},
};

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
    /// When that was, of a call of gRPC and of an empty body
    pub(crate) ended: Cell<Option<Instant>>,
    /// Of a request that may be made a second time
    pub(crate) kept: Kept,
    /// How often its request was sent again
    pub(crate) retries: Cell<u32>,
}

/// The body of a request to an upstream
pub(crate) enum RequestBody {
    Empty,
    /// Of a request that is made a second time
    Kept {
        all: Bytes,
        has_gone: bool,
    },
    /// In a box, because a request moves a dozen times on its way, and most have no body
    Client(Box<ClientBody>),
}

/// A client's body
pub(crate) struct ClientBody {
    incoming: Incoming,
    fate: Rc<BodyFate>,
    longest: Longest,
    pace: Pace,
    /// Of a call, each of which is bounded by itself
    messages: Option<Messages>,
    /// Of the connection that it goes to
    reads: OnceCell<Rc<Reads>>,
    /// Whether it comes in the frames of a stream
    is_of_stream: bool,
    /// The client's connection is in use as long as this is held
    _turn: Rc<()>,
}

/// Bytes of a body, or of each message of a call, and of trailers
#[derive(Clone, Copy, Debug)]
pub(crate) struct Longest {
    pub(crate) body: u64,
    pub(crate) trailers: usize,
}

impl Longest {
    pub(crate) fn of(limits: &Limits) -> Self {
        let body = if limits.max_body == 0 { u64::MAX } else { limits.max_body };
        Self { body, trailers: limits.longest_trailers() }
    }
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
    /// Takes no more than `longest`, at this pace. The fate of an empty body has ended before.
    pub(crate) fn of(
        incoming: Incoming,
        fate: Rc<BodyFate>,
        longest: Longest,
        pace: Pace,
        turn: Rc<()>,
        is_of_stream: bool,
    ) -> Self {
        if fate.has_ended.get() {
            return Self::Empty;
        }
        let (messages, reads) = (None, OnceCell::new());
        Self::Client(Box::new(ClientBody { incoming, fate, longest, pace, messages, reads, is_of_stream, _turn: turn }))
    }

    /// The body of a call of gRPC: no more than `longest` in each message, at any pace, because a stream may be quiet for long.
    pub(crate) fn of_call(
        incoming: Incoming,
        fate: Rc<BodyFate>,
        longest: Longest,
        turn: Rc<()>,
        is_of_stream: bool,
    ) -> Self {
        let mut body = Self::of(incoming, fate, longest, Pace::at_least(0), turn, is_of_stream);
        if let Self::Client(body) = &mut body {
            body.messages = Some(Messages::default());
        }
        body
    }

    /// The whole body of a request that is made a second time
    pub(crate) fn kept(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Kept { all: bytes, has_gone: false } }
    }

    /// It goes over the connection with these reads.
    pub(crate) fn goes_to(&self, reads: &Rc<Reads>) {
        if let Self::Client(body) = self {
            // A body goes to a second connection only if the first has read nothing of it.
            let _ = body.reads.set(reads.clone());
        }
    }

    /// Keeps the body for another attempt, as long as it has few bytes.
    pub(crate) fn keep(&self) {
        if let Self::Client(body) = self {
            body.fate.kept.begin();
        }
    }

    /// The same for another attempt, if none of it has come yet, although the first attempt may have asked for it. A body that was
    /// kept goes again also after it was sent, where nothing was processed.
    pub(crate) fn again(self, is_unprocessed: bool) -> Option<Self> {
        match self {
            Self::Client(body) if body.fate.bytes.get() == 0 && !body.fate.has_ended.get() => {
                body.fate.was_read.set(false);
                Some(Self::Client(body))
            }
            Self::Client(body) if is_unprocessed && body.fate.has_ended.get() => {
                let kept = body.fate.kept.all()?;
                body.fate.was_read.set(false);
                Some(Self::kept(kept))
            }
            Self::Kept { all, has_gone } if is_unprocessed || !has_gone => Some(Self::kept(all)),
            Self::Client(_) | Self::Kept { .. } => None,
            Self::Empty => Some(Self::Empty),
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
            Self::Empty | Self::Kept { has_gone: true, .. } => Poll::Ready(None),
            Self::Kept { all, has_gone } => {
                *has_gone = true;
                Poll::Ready(Some(Ok(Frame::data(all.clone()))))
            }
            Self::Client(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Kept { has_gone, .. } => *has_gone,
            Self::Client(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Kept { has_gone: true, .. } => SizeHint::with_exact(0),
            Self::Kept { all, .. } => SizeHint::with_exact(all.len() as u64),
            Self::Client(body) => body.incoming.size_hint(),
        }
    }
}

impl ClientBody {
    fn poll(&mut self, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let frame = self.poll_bounded(context);
        if self.messages.is_some() && self.fate.has_ended.get() && self.fate.ended.get().is_none() {
            self.fate.ended.set(Some(Instant::now()));
        }
        frame
    }

    fn poll_bounded(&mut self, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
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
            // hyper also ends a body whose stream the client has reset with NO_ERROR, as node's clients do. A part of a body must not
            // reach the upstream as all of it.
            Poll::Ready(None) if self.is_of_stream && !self.incoming.is_end_stream() => {
                self.fate.is_client_gone.set(true);
                return self.give_up(Refusal::BadBody);
            }
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
            if field_section::size(trailers) > self.longest.trailers {
                return self.give_up(Refusal::HeadTooLarge);
            }
            hop_by_hop::strip_trailers(trailers);
        }
        // hyper asks for nothing behind trailers, or behind the last byte of a known length.
        self.fate.has_ended.set(frame.is_trailers() || self.incoming.is_end_stream());
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        self.fate.bytes.update(|bytes| bytes + length);
        match frame.data_ref() {
            Some(data) => self.fate.kept.note(data),
            None => self.fate.kept.give_up(),
        }
        let measured = match (&mut self.messages, frame.data_ref()) {
            (Some(messages), Some(data)) => messages.longest(data).into(),
            (Some(_), None) => 0,
            (None, _) => self.fate.bytes.get(),
        };
        if measured > self.longest.body {
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

/// Whether the bytes of the body are wrong. Any other error is the end of the client's connection, or of its stream.
fn is_malformed(error: &hyper::Error) -> bool {
    let Some(source) = std::error::Error::source(error) else { return false };
    if let Some(error) = source.downcast_ref::<h2::Error>() {
        return error.is_library();
    }
    let error = source.downcast_ref::<io::Error>();
    error.is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}
