//! When a batch is sent again: with decorrelated jitter, or when the server asks for it, and sooner after a stop signal.

use std::time::Duration;

use lifecycle::Backoff;

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
}

impl Default for Retry {
    fn default() -> Self {
        Self { backoff: Backoff::new(SHORTEST, LONGEST), at_the_end: Backoff::new(SHORTEST, LONGEST_AT_THE_END) }
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

    /// After a success
    pub(crate) fn reset(&mut self) {
        self.backoff.reset();
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
}
