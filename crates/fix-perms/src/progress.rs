//! How far the work has come: a line that is redrawn on a terminal, one every 30 s else.

use std::time::{Duration, Instant};

use lifecycle::elapsed;
use tokio::time;

use crate::ledger::{Counts, Ledger};

const REDRAW: Duration = Duration::from_millis(200);
const REMINDER: Duration = Duration::from_secs(30);

/// Tells of the work until it is dropped
pub(crate) struct Progress {
    started: Instant,
    on_terminal: bool,
    is_drawn: bool,
    /// Entries that were seen at the last reminder
    reminded_at: Option<u64>,
}

impl Progress {
    pub(crate) fn new(on_terminal: bool) -> Self {
        Self { started: Instant::now(), on_terminal, is_drawn: false, reminded_at: None }
    }

    /// `path` is the PATH that is looked at now.
    pub(crate) async fn keep_telling(&mut self, ledgers: &[Ledger], path: impl Fn() -> String) {
        loop {
            time::sleep(if self.on_terminal { REDRAW } else { REMINDER }).await;
            let counts = Counts::sum(ledgers.iter().map(Ledger::counts));
            if self.on_terminal {
                self.draw(counts);
            } else {
                self.remind(counts, &path());
            }
        }
    }

    fn remind(&mut self, counts: Counts, path: &str) {
        let Counts { seen, changed, .. } = counts;
        let (rate, elapsed) = (self.rate(seen), elapsed(self.started.elapsed()));
        if self.is_stalled(seen) {
            let reason = "no entry was seen for 30s: does the volume answer, or is its server gone?";
            tracing::warn!(path, seen, changed, elapsed, reason, "no progress");
        } else {
            tracing::info!(path, seen, changed, rate, elapsed, "at work");
        }
    }

    /// Whether nothing was seen since the last reminder, or since the start.
    fn is_stalled(&mut self, seen: u64) -> bool {
        self.reminded_at.replace(seen).unwrap_or(0) == seen
    }

    /// A terminal that is gone, or does not keep up, is no reason to fail or to wait.
    fn draw(&mut self, counts: Counts) {
        let Counts { seen, changed, .. } = counts;
        // The cursor goes back, so that a line of the log is written over this one.
        let text = format!("\r{seen} seen, {changed} changed, {} a second\x1b[K\r", self.rate(seen));
        self.is_drawn |= lifecycle::draw(&text);
    }

    /// Entries a second
    fn rate(&self, seen: u64) -> u64 {
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        seen.saturating_mul(1000) / milliseconds
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_drawn {
            lifecycle::draw("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_that_sees_nothing_more_is_stalled() {
        let mut silent = Progress::new(false);
        assert!(silent.is_stalled(0), "nothing since the start");
        let mut progress = Progress::new(false);
        let stalled = [5, 5, 6, 6].map(|seen| progress.is_stalled(seen));
        assert_eq!(stalled, [false, true, false, true]);
    }
}
