//! The recent failures of watches: the next watch is opened after a pause that grows, and the
//! verdict names the last failure.
//!
//! A watch that has lasted may break off, as each does when the API server restarts: it is opened
//! again at once, without a word.

use std::time::Duration;

use lifecycle::Backoff;
use tokio::time::{Instant, sleep_until};

use crate::not_ready::{Cause, NotReady, Verdict};

/// A watch that is open for so long ends the trouble.
pub(super) const LASTING: Duration = Duration::from_secs(10);
/// The shortest and the longest pause. An attempt has 5 seconds by default, and a list after it.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// The recent failures of watches
#[derive(Debug)]
pub(super) struct Trouble {
    words: Option<String>,
    pauses: Backoff,
    /// The earliest time of the next request
    pause_ends: Option<Instant>,
}

impl Default for Trouble {
    fn default() -> Self {
        Self { words: None, pauses: Backoff::new(PAUSES.0, PAUSES.1), pause_ends: None }
    }
}

impl Trouble {
    /// Notes a failure; `random` lies in `0.0..1.0`. The first of several gives the words, which
    /// would change with each failure otherwise.
    pub(super) fn note_failure(&mut self, words: String, random: f64) {
        self.words.get_or_insert(words);
        self.pause_ends = Some(Instant::now() + self.pauses.next(random));
    }

    /// A watch has lasted.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// The time at which a watch that was opened at `opened` ends the trouble; `None` without
    /// trouble
    pub(super) fn ends_at(&self, opened: Instant) -> Option<Instant> {
        self.words.as_ref().map(|_| opened + LASTING)
    }

    pub(super) fn is_on(&self) -> bool {
        self.words.is_some()
    }

    pub(super) fn is_pausing(&self) -> bool {
        self.pause_ends.is_some()
    }

    /// Waits until the next request may be sent. Cancel-safe: a later call waits for the rest.
    pub(super) async fn pause(&mut self) {
        if let Some(end) = self.pause_ends {
            sleep_until(end).await;
            self.pause_ends = None;
        }
    }

    /// Appends the last failure to a verdict on objects that are not ready.
    pub(super) fn append_to(&self, verdict: Verdict) -> Verdict {
        verdict.map_err(|refusal| match &self.words {
            Some(words) if refusal.cause == Cause::Watched => {
                NotReady { reason: format!("{}; {words}", refusal.reason), ..refusal }
            }
            _ => refusal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_bound_and_start_anew() {
        let mut trouble = Trouble::default();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let before = Instant::now();
            trouble.note_failure("it breaks off".into(), 1.0);
            trouble.pause().await;
            pauses.push(before.elapsed().as_millis());
        }
        assert_eq!(pauses, [300, 900, 2700, 3000, 3000, 3000]);
        let words = |trouble: &Trouble| trouble.append_to(Err(NotReady::watched("no Job"))).unwrap_err().reason;
        assert_eq!(words(&trouble), "no Job; it breaks off");
        trouble.end();
        assert_eq!((words(&trouble).as_str(), trouble.is_pausing()), ("no Job", false));
        let before = Instant::now();
        trouble.note_failure(String::new(), 0.0);
        trouble.pause().await;
        assert_eq!(before.elapsed(), PAUSES.0);
    }
}
