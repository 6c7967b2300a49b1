//! The pause before a batch is sent again: with decorrelated jitter, or as the server asks, and
//! shorter after a stop signal.

use std::time::{Duration, Instant};

use lifecycle::Backoff;

use crate::outputs::Patience;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest pause after a stop signal, when each attempt may be the last
const LONGEST_AT_THE_END: Duration = Duration::from_secs(1);
/// The longest pause that a server can ask for
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(15 * 60);

/// The pauses between the attempts of one output
#[derive(Debug)]
pub(crate) struct Retry {
    backoff: Backoff,
    at_the_end: Backoff,
    /// Failed attempts at the batch in flight, those of them before a stop, and when the first one was
    failures: u32,
    counted: u32,
    since: Option<Instant>,
}

impl Default for Retry {
    fn default() -> Self {
        let at_the_end = Backoff::new(SHORTEST, LONGEST_AT_THE_END);
        Self { backoff: Backoff::new(SHORTEST, LONGEST), at_the_end, failures: 0, counted: 0, since: None }
    }
}

impl Retry {
    /// How long to wait; `asked_for` is the pause that the server asks for.
    pub(crate) fn pause(&mut self, asked_for: Option<Duration>, stopping: bool, random: f64) -> Duration {
        if stopping {
            return self.at_the_end.next(random);
        }
        let pause = self.backoff.next(random);
        asked_for.map_or(pause, |asked_for| asked_for.min(LONGEST_ASKED_FOR).max(SHORTEST))
    }

    /// Counts a failed attempt. Says whether it was the last one. The attempts after a stop signal
    /// follow each other so fast that their number says nothing.
    pub(crate) fn fail(&mut self, patience: Patience, stopping: bool, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.counted = self.counted.saturating_add(u32::from(!stopping));
        let age = now.duration_since(*self.since.get_or_insert(now));
        patience.is_over(self.counted, age)
    }

    /// Begins to count for another batch, and says how many attempts at the last one failed. The
    /// pauses do not begin again, because the output still fails.
    pub(crate) fn start_over(&mut self) -> u32 {
        (self.counted, self.since) = (0, None);
        std::mem::take(&mut self.failures)
    }

    /// After a success
    pub(crate) fn reset(&mut self) {
        self.backoff.reset();
        self.start_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_heard_within_bounds() {
        let mut retry = Retry::default();
        let seconds = Duration::from_secs;
        assert_eq!(retry.pause(None, false, 1.0), Duration::from_millis(600));
        assert_eq!(retry.pause(Some(seconds(7)), false, 1.0), seconds(7));
        assert_eq!(retry.pause(Some(seconds(0)), false, 1.0), SHORTEST);
        assert_eq!(retry.pause(Some(seconds(1_000_000)), false, 1.0), LONGEST_ASKED_FOR);
        assert!(retry.pause(Some(seconds(60)), true, 1.0) <= LONGEST_AT_THE_END);
        assert_eq!(retry.pause(None, false, 1.0), LONGEST);
    }

    #[test]
    fn attempts_after_a_stop_do_not_count() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let patience = Patience { retries: Some(0), age: Some(Duration::from_secs(60)) };
        assert!(!retry.fail(patience, true, now) && !retry.fail(patience, true, now));
        assert!(retry.fail(patience, true, now + Duration::from_secs(60)));
        assert_eq!(retry.start_over(), 3);
        assert!(retry.fail(patience, false, now));
    }

    #[test]
    fn attempts_count_for_one_batch() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let patience = Patience { retries: Some(1), age: Some(Duration::from_secs(60)) };
        assert!(!retry.fail(patience, false, now) && retry.fail(patience, false, now));
        assert_eq!(retry.start_over(), 2);
        assert!(!retry.fail(patience, false, now) && !retry.fail(Patience::default(), false, now));
        retry.reset();
        let patience = Patience { retries: None, ..patience };
        assert!(!retry.fail(patience, false, now) && retry.fail(patience, false, now + Duration::from_secs(60)));
    }
}
