//! One reading of a collector. The first thread that takes it reads, and the scrape waits for the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedMutexGuard, oneshot},
    task,
};

use crate::collect::{
    collector::{Instrument, Reading},
    fault::CollectFault,
};

/// The result of a reading, and its duration
type Answer = Result<(Reading, Duration), CollectFault>;

/// A pending reading; empty once a thread has taken it
#[derive(Clone, Debug)]
pub(super) struct Turn(Arc<Mutex<Option<Task>>>);

#[derive(Debug)]
struct Task {
    instrument: OwnedMutexGuard<Instrument>,
    reply: oneshot::Sender<Answer>,
}

/// The scrape's side of a turn. Its drop takes back a reading that no thread has begun, which frees the instrument for the next
/// scrape.
#[derive(Debug)]
pub(super) struct Awaited {
    turn: Turn,
    answer: oneshot::Receiver<Answer>,
}

impl Turn {
    /// Reads on the calling thread, unless another thread has taken the reading.
    pub(super) fn read(&self) {
        if let Some(Task { mut instrument, reply }) = self.take() {
            let begin = Instant::now();
            let reading = instrument.read();
            // Free the instrument first, because the next scrape may come as soon as this one has its answer.
            drop(instrument);
            let _ = reply.send(reading.map(|reading| (reading, begin.elapsed())));
        }
    }

    fn take(&self) -> Option<Task> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_left(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Awaited {
    pub(super) fn new(instrument: OwnedMutexGuard<Instrument>) -> Self {
        let (reply, answer) = oneshot::channel();
        Self { turn: Turn(Arc::new(Mutex::new(Some(Task { instrument, reply })))), answer }
    }

    /// The turn for the thread that reads.
    pub(super) fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// Waits for the answer. Starts a thread for the reading if no thread has taken it.
    pub(super) async fn answer(mut self) -> Answer {
        if self.turn.is_left() {
            let turn = self.turn();
            task::spawn_blocking(move || turn.read());
        }
        (&mut self.answer).await.unwrap_or(Err(CollectFault::Panicked))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        drop(self.turn.take());
    }
}
