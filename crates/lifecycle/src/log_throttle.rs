//! Limits the log lines about a failure that repeats.

use std::time::{Duration, Instant};

/// The time between two lines about the same failure
const REMINDER: Duration = Duration::from_secs(30);

/// A failure that may repeat: logged when it first happens, when its reason changes, and every 30 s
#[derive(Debug, Default)]
pub struct LogThrottle(Option<(String, Instant)>);

impl LogThrottle {
    /// The failure has happened again; returns whether a line about it is due.
    pub fn is_due(&mut self, reason: &str, now: Instant) -> bool {
        let due = self.0.as_ref().is_none_or(|(logged, at)| logged != reason || now.duration_since(*at) >= REMINDER);
        if due {
            self.0 = Some((reason.to_owned(), now));
        }
        due
    }

    /// The failure is over; returns whether it had been logged, so that its end is news.
    pub fn settle(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_at_first_and_for_another_reason_and_every_30_s() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut throttle = LogThrottle::default();
        assert!(!throttle.settle());
        let due = [(0, "refused"), (1, "refused"), (2, "timed out"), (31, "timed out"), (32, "timed out")]
            .map(|(seconds, reason)| throttle.is_due(reason, at(seconds)));
        assert_eq!(due, [true, false, true, false, true]);
        assert!(throttle.settle());
        assert!(throttle.is_due("timed out", at(33)));
    }
}
