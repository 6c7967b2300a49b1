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
}

impl Progress {
    pub(crate) fn new(on_terminal: bool) -> Self {
        Self { started: Instant::now(), on_terminal, is_drawn: false }
    }

    pub(crate) async fn keep_telling(&mut self, ledgers: &[Ledger]) {
        loop {
            time::sleep(if self.on_terminal { REDRAW } else { REMINDER }).await;
            let counts = Counts::sum(ledgers.iter().map(Ledger::counts));
            if self.on_terminal {
                self.draw(counts);
            } else {
                let (seen, changed) = (counts.seen, counts.changed);
                tracing::info!(
                    seen,
                    changed,
                    rate = self.rate(seen),
                    elapsed = elapsed(self.started.elapsed()),
                    "at work"
                );
            }
        }
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
