//! Watches that do not last: the next one is opened after a pause that grows, and the verdict names
//! the trouble.
//!
//! A watch that has lasted may break off, as each does when the API server restarts: it is opened
//! again at once, without a word.

use std::time::Duration;

use lifecycle::Backoff;
use tokio::time::{Instant, sleep_until};

use crate::not_ready::{Cause, NotReady, Verdict};

/// A watch that lasts for so long ends the trouble.
pub(super) const LASTING: Duration = Duration::from_secs(10);
/// The shortest and the longest pause
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What is wrong with the watches of late
#[derive(Debug)]
pub(super) struct Trouble {
    words: Option<String>,
    pauses: Backoff,
    /// No request is sent before
    pause_ends: Option<Instant>,
}

impl Default for Trouble {
    fn default() -> Self {
        Self { words: None, pauses: Backoff::new(PAUSES.0, PAUSES.1), pause_ends: None }
    }
}

impl Trouble {
    /// A watch has failed.
    pub(super) fn begin(&mut self, words: String) {
        self.words = Some(words);
        self.pause_ends = Some(Instant::now() + self.pauses.next(fastrand::f64()));
    }

    /// A watch lasts.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// When it is over, with a watch that was opened at this time; `None` without trouble.
    pub(super) fn over(&self, opened: Instant) -> Option<Instant> {
        self.words.as_ref().map(|_| opened + LASTING)
    }

    pub(super) fn is_on(&self) -> bool {
        self.words.is_some()
    }

    pub(super) fn is_pausing(&self) -> bool {
        self.pause_ends.is_some()
    }

    /// Waits until the next request may be sent. Dropped while it waits, it goes on later.
    pub(super) async fn pause(&mut self) {
        if let Some(end) = self.pause_ends {
            sleep_until(end).await;
            self.pause_ends = None;
        }
    }

    /// The verdict on objects that are not ready, with what is wrong beside.
    pub(super) fn added_to(&self, verdict: Verdict) -> Verdict {
        verdict.map_err(|refusal| match &self.words {
            Some(words) if refusal.cause == Cause::Watched => {
                NotReady { reason: format!("{}; {words}", refusal.reason), ..refusal }
            }
            _ => refusal,
        })
    }
}
