//! Gathers batches: an output gets the next one once enough bytes wait for it, or once the first of
//! them have waited long enough.

use std::time::{Duration, Instant};

use tokio::{sync::watch, time};

use crate::{
    files::{
        follower::{Shared, feed::Gathering, lock},
        known::OutputId,
    },
    outputs::Output,
    records::batch::Batch,
    watch::signal::Signal,
};

/// How long lines are gathered, because a receiver pays for each request
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The time that the first line waits for others
    pub(crate) linger: Duration,
    /// Bytes that do not wait for more
    pub(crate) most: usize,
}

/// Gathers batches for one output
pub(crate) struct Gatherer {
    pub(crate) follower: Shared,
    pub(crate) output: OutputId,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) window: Window,
    /// Since when lines wait
    pub(crate) since: Option<Instant>,
}

impl Gatherer {
    /// Waits for the next batch; `None` when all is over.
    pub(crate) async fn next(&mut self, output: &mut dyn Output) -> Option<Batch> {
        loop {
            let is_stopping = self.signal.borrow_and_update().stopping;
            let rest = if output.gathers() && !is_stopping { self.rest() } else { Duration::ZERO };
            if rest.is_zero() {
                self.since = None;
                if let Some(batch) = self.take(output) {
                    return Some(batch);
                }
                self.signal.changed().await.ok()?;
            } else {
                tokio::select! {
                    changed = self.signal.changed() => changed.ok()?,
                    () = time::sleep(rest) => {}
                }
            }
        }
    }

    fn take(&self, output: &mut dyn Output) -> Option<Batch> {
        let joins = |first: &_, next: &_| output.joins(first, next);
        let gathering = Gathering { most: self.window.most, joins: &joins };
        lock(&self.follower).next(self.output, output.gathers().then_some(&gathering), Instant::now())
    }

    /// How long the lines that wait now are to wait for others
    fn rest(&mut self) -> Duration {
        let Window { linger, most } = self.window;
        let waiting = lock(&self.follower).waiting(self.output, most);
        if waiting == 0 || waiting >= most as u64 {
            return Duration::ZERO;
        }
        linger.saturating_sub(self.since.get_or_insert_with(Instant::now).elapsed())
    }
}
