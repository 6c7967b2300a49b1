//! Log lines of the last 30 s, so that the log has each of them once, and no more than a reader can use.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// The same line is logged once in this time, unless its caller needs it more often.
const REMINDER: Duration = Duration::from_secs(30);
/// Lines in that time; a flood of different ones is for the metrics.
const MOST: usize = 20;

/// The lines of the last [`REMINDER`], of one worker
#[derive(Debug, Default)]
pub(crate) struct RecentLines(RefCell<Vec<(String, Instant)>>);

impl RecentLines {
    /// Whether the log needs this line now.
    pub(crate) fn is_due(&self, line: &str, now: Instant) -> bool {
        self.is_due_within(1, line, now)
    }

    /// The same for a line that may stand this many times.
    pub(crate) fn is_due_within(&self, times: usize, line: &str, now: Instant) -> bool {
        let mut logged = self.0.borrow_mut();
        logged.retain(|(_, at)| now.duration_since(*at) < REMINDER);
        let is_due = logged.len() < MOST && logged.iter().filter(|(known, _)| known == line).count() < times;
        if is_due {
            logged.push((line.to_owned(), now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_once_in_30_s_and_never_too_many() {
        let (recent, start) = (RecentLines::default(), Instant::now());
        let is_due = |line: usize, seconds| recent.is_due(&line.to_string(), start + Duration::from_secs(seconds));
        assert!(is_due(0, 0) && !is_due(0, 29) && is_due(1, 1));
        let many = (2..100).filter(|line| is_due(*line, 2)).count();
        assert_eq!(many, MOST - 2);
        assert!(is_due(0, 30) && !is_due(99, 30) && is_due(99, 31));
        let is_due_twice = |seconds| recent.is_due_within(2, "twice", start + Duration::from_secs(seconds));
        assert!(is_due_twice(60) && is_due_twice(61) && !is_due_twice(62) && is_due_twice(90));
    }
}
