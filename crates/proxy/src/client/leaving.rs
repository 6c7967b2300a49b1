//! The end of an event stream whose turn has come, for example in a drain: between two events.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::Bytes;

use crate::event_stream::Events;

/// Follows an event stream
pub(super) struct Leaving {
    events: Events,
    /// Nothing once it has come
    turn: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Leaving {
    pub(super) fn new(turn: impl Future<Output = ()> + 'static) -> Self {
        Self { events: Events::default(), turn: Some(Box::pin(turn)) }
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
