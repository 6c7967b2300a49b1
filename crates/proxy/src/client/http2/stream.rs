//! One stream: whether its client takes the answer in time. hyper gives no hold on a stream; dropping its task resets it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::Instant;

use crate::{client::client_io::ClientState, refusal::fault::Fault};

/// A stream
#[derive(Default)]
pub(super) struct Stream {
    pub(super) client: Rc<ClientState>,
    /// Its place among those of the connection
    pub(super) place: Cell<usize>,
    task: RefCell<Option<Waker>>,
    /// Parts of the answer's body that hyper has taken
    parts: Cell<u64>,
    /// Whether hyper has taken a part, and has not asked for the next one: it waits for the client's window
    is_waiting: Cell<bool>,
    /// The number of parts at the last look, and since when it is the same
    waiting_since: Cell<Option<(u64, Instant)>>,
    /// Why the stream must end
    end: Cell<Option<Fault>>,
}

impl Stream {
    /// hyper asks for the next part of the body.
    pub(super) fn asked(&self) {
        self.is_waiting.set(false);
    }

    /// hyper has taken a part of the body.
    pub(super) fn took(&self) {
        self.is_waiting.set(true);
        self.parts.update(|parts| parts + 1);
    }

    /// Why the stream was ended, if it was
    pub(super) fn fault(&self) -> Option<Fault> {
        self.end.get()
    }

    /// The time for the answer is over: its body finds that when it is asked for more, which a client without a window prevents.
    pub(super) fn is_late(&self) {
        let is_news = !self.client.is_late.replace(true);
        if self.is_waiting.get() && self.end.get().is_none() {
            self.end.set(Some(Fault::AnswerTooSlow));
        } else if !is_news {
            return;
        }
        self.wake();
    }

    /// Whether the client gives no window for the answer. While its connection is blocked, the
    /// stream waits for the others.
    pub(super) fn has_stalled(&self, now: Instant, patience: Duration, is_blocked: bool) -> bool {
        if !self.is_waiting.get() || self.end.get().is_some() || is_blocked {
            self.waiting_since.set(None);
            return false;
        }
        let parts = self.parts.get();
        match self.waiting_since.get() {
            Some((before, since)) if before == parts => {
                let has_stalled = now.duration_since(since) >= patience;
                if has_stalled {
                    self.end.set(Some(Fault::ClientGone));
                    self.wake();
                }
                has_stalled
            }
            _ => {
                self.waiting_since.set(Some((parts, now)));
                false
            }
        }
    }

    fn wake(&self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    pub(super) fn set_task(&self, context: &Context) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            *task = Some(context.waker().clone());
        }
    }
}
