//! Gathers batches: an output gets the next one once enough bytes wait for it, or once the first of
//! them have waited long enough.

use std::time::{Duration, Instant};

use tokio::{sync::watch, time};

use crate::{
    files::{
        follower::{Shared, lock},
        known::OutputId,
    },
    outputs::Output,
    records::batch::Batch,
    watch::signal::Signal,
};

/// Gathers batches for one output
pub(crate) struct Gatherer {
    pub(crate) follower: Shared,
    pub(crate) output: OutputId,
    pub(crate) signal: watch::Receiver<Signal>,
    /// The time that the first line waits for others, because a receiver pays for each request
    pub(crate) linger: Duration,
}

impl Gatherer {
    /// Waits for the next batch; `None` when all is over.
    pub(crate) async fn next(&mut self, output: &mut dyn Output) -> Option<Batch> {
        loop {
            let is_stopping = self.signal.borrow_and_update().stopping;
            let rest = if output.gathers() && !is_stopping { self.rest() } else { Duration::ZERO };
            if rest.is_zero() {
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
        lock(&self.follower).next(self.output, output.gathers().then_some(&joins), Instant::now())
    }

    /// How long the lines that wait now are to wait for others. Those that were there for so long before the last batch was
    /// answered wait no more.
    fn rest(&self) -> Duration {
        let follower = lock(&self.follower);
        let since = follower.set.readable_since(self.output).filter(|_| follower.may_gather(self.output));
        since.map_or(Duration::ZERO, |since| self.linger.saturating_sub(since.elapsed()))
    }
}
