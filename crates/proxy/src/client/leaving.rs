//! The end of an event stream in a drain: between two events, when its turn has come.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::Bytes;

use crate::{client::drain::Drain, event_stream::Events};

/// Follows an event stream
pub(super) struct Leaving {
    events: Events,
    /// Nothing once it has come
    turn: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Leaving {
    pub(super) fn new(drain: Drain) -> Self {
        Self { events: Events::default(), turn: Some(Box::pin(drain.turn())) }
    }

    /// Whether the stream ends here. While it does not, the turn wakes the task.
    pub(super) fn must_end(&mut self, context: &mut Context) -> bool {
        if self.turn.as_mut().map(|turn| turn.as_mut().poll(context)) == Some(Poll::Ready(())) {
            self.turn = None;
        }
        self.turn.is_none() && self.events.is_between()
    }

    /// Goes on through these bytes, and cuts them where the stream is to end.
    pub(super) fn pass(&mut self, bytes: &mut Bytes) {
        if self.turn.is_some() {
            self.events.pass(bytes);
        } else if let Some(end) = self.events.pass_to_end_of_event(bytes) {
            // A CR and the LF behind it are one.
            let is_cut = bytes[..end].ends_with(b"\r") && bytes[end..].starts_with(b"\n");
            bytes.truncate(end + usize::from(is_cut));
        }
    }
}
