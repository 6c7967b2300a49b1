//! The body of an answer on one stream, in parts that are small enough for the memory of a client that gives no window.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::stream::Stream;
use crate::client::answer_body::{AnswerBody, Broken};

/// Bytes that hyper holds at most of a stream for which the client has no window: the payload of the
/// largest frame that clients take by default
const PART: usize = 16 * 1024;

/// The body of an answer on a stream
pub(super) struct StreamBody {
    body: AnswerBody,
    /// The rest of what came from the upstream at once
    rest: Bytes,
    stream: Rc<Stream>,
}

impl StreamBody {
    pub(super) fn new(body: AnswerBody, stream: Rc<Stream>) -> Self {
        Self { body, rest: Bytes::new(), stream }
    }

    fn take_part(&mut self) -> Frame<Bytes> {
        let length = self.rest.len().min(PART);
        Frame::data(self.rest.split_to(length))
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        this.stream.asked();
        if this.stream.client.is_late.get() {
            // The body says so.
            this.rest = Bytes::new();
        }
        let frame = if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.rest = data;
                        this.take_part()
                    }
                    Err(trailers) => trailers,
                },
                ended => return Poll::Ready(ended),
            }
        } else {
            this.take_part()
        };
        this.stream.took();
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut sum = SizeHint::new();
        sum.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            sum.set_upper(upper + rest);
        }
        sum
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if let Some(fault) = self.stream.fault() {
            self.body.cut(fault);
        }
    }
}
