//! The log of clients whose certificates are refused: enough to find each of them, and no more lines than a reader can use.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use crate::peer::Peer;

/// The same client with the same fault on the same listener is logged once in this time.
const REMINDER: Duration = Duration::from_secs(30);
/// Lines in that time; a flood from many addresses is for the metric.
const MOST: usize = 20;

/// The lines of the last [`REMINDER`], of one worker
#[derive(Debug, Default)]
pub(crate) struct RefusedClients(RefCell<Vec<(String, Instant)>>);

impl RefusedClients {
    /// Logs that the certificate of a client is refused, if that is news.
    pub(crate) fn log(&self, listener: &str, peer: Peer, reason: &str) {
        if self.is_due(format!("{listener} {peer} {reason}"), Instant::now()) {
            tracing::info!(listener, client = %peer, reason, "a client is refused for its certificate");
        }
    }

    fn is_due(&self, line: String, now: Instant) -> bool {
        let mut told = self.0.borrow_mut();
        told.retain(|(_, at)| now.duration_since(*at) < REMINDER);
        let is_due = told.len() < MOST && told.iter().all(|(known, _)| *known != line);
        if is_due {
            told.push((line, now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_once_in_30_s_and_never_too_many() {
        let (refused, start) = (RefusedClients::default(), Instant::now());
        let is_due = |line: usize, seconds| refused.is_due(line.to_string(), start + Duration::from_secs(seconds));
        assert!(is_due(0, 0) && !is_due(0, 29) && is_due(1, 1));
        let many = (2..100).filter(|line| is_due(*line, 2)).count();
        assert_eq!(many, MOST - 2);
        assert!(is_due(0, 30) && !is_due(99, 30) && is_due(99, 31));
    }
}
