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
    records::{batch::Batch, growing::Growing},
    watch::signal::Signal,
};

/// Gathers batches for one output
pub(crate) struct Gatherer {
    pub(crate) follower: Shared,
    pub(crate) output: OutputId,
    pub(crate) signal: watch::Receiver<Signal>,
    /// The time that the first line waits for others, because a receiver pays for each request
    pub(crate) linger: Duration,
    /// The lines that wait
    pub(crate) batch: Growing,
}

impl Gatherer {
    /// Waits for the next batch; `None` when all is over.
    pub(crate) async fn next(&mut self, output: &mut dyn Output) -> Option<Batch> {
        loop {
            let is_stopping = self.signal.borrow_and_update().stopping;
            let rest = self.gather(output);
            if (rest.is_zero() || is_stopping)
                && let Some(batch) = self.batch.take()
            {
                return Some(batch);
            }
            tokio::select! {
                changed = self.signal.changed() => changed.ok()?,
                () = time::sleep(rest), if !self.batch.is_empty() => {}
            }
        }
    }

    /// Reads what is there. Returns how long it is to wait for more: lines that waited while the last batch was sent wait no more.
    fn gather(&mut self, output: &mut dyn Output) -> Duration {
        let gathers = output.gathers();
        let joins = |first: &_, next: &_| output.joins(first, next);
        let (mut follower, now) = (lock(&self.follower), Instant::now());
        let since = if gathers { follower.set.readable_since(self.output) } else { None };
        follower.gather(self.output, gathers.then_some(&joins), &mut self.batch, now);
        self.batch.waits_since(since);
        if !gathers || follower.is_enough(self.output, &self.batch) {
            return Duration::ZERO;
        }
        let waited = self.batch.since().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.linger.saturating_sub(waited)
    }
}
