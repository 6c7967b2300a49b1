//! Whether a request that failed may be sent once more, and how often that may happen.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method};

/// The time over which retries are counted
const WINDOW: Duration = Duration::from_secs(10);
/// Retries in a window that are allowed however few requests there are
const FLOOR: u32 = 10;
/// One of five requests in a window may be a retry: 20 %
const REQUESTS_PER_RETRY: u32 = 5;

/// A request that failed before its answer began
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) progress: Progress,
    /// It may be done twice (RFC 9110, section 9.2.2)
    pub(crate) is_repeatable: bool,
    /// It went over a connection that had been used before
    pub(crate) was_reused: bool,
}

/// How far it came
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No byte of it was sent
    Unsent,
    /// The upstream says that it has not processed it, because it goes away (RFC 9113, section 6.8)
    Unprocessed,
    /// The upstream says that it has not processed it, and takes no more now (`REFUSED_STREAM`: RFC 9113, section 8.7)
    Refused,
    /// Some of it was sent, and nothing has come back
    Sent,
    /// A byte of an answer has come
    Answered,
}

/// The decision about it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it again; it adds no load, because the first one never arrived
    Again,
    /// Send it again, if the budget allows it
    AgainWithinBudget,
    /// Tell the client
    GiveUp,
}

/// Decides on a failure. After a second one the caller goes on only where nothing was processed.
pub(crate) fn decide(failed: Failed) -> Verdict {
    match failed {
        Failed { progress: Progress::Unprocessed, .. }
        | Failed { progress: Progress::Unsent, was_reused: true, .. } => Verdict::Again,
        // A refused one has arrived, so it adds load where there may be too much.
        Failed { progress: Progress::Refused, .. }
        | Failed { progress: Progress::Sent, was_reused: true, is_repeatable: true } => Verdict::AgainWithinBudget,
        _ => Verdict::GiveUp,
    }
}

/// Whether a request may be done twice: by its method, or because its sender says so.
pub(crate) fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent() || headers.contains_key("idempotency-key")
}

/// Requests and retries of the current window
#[derive(Debug)]
pub(crate) struct Budget {
    since: Instant,
    requests: u32,
    retries: u32,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, requests: 0, retries: 0 }
    }

    /// A request has come.
    pub(crate) fn request(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        self.requests = self.requests.saturating_add(1);
    }

    /// Takes one retry, if one is left.
    pub(crate) fn retry(&mut self) -> bool {
        let is_allowed = self.retries < FLOOR.max(self.requests / REQUESTS_PER_RETRY);
        self.retries += u32::from(is_allowed);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_sent_or_may_be_repeated_goes_again() {
        let sent = Failed { progress: Progress::Sent, is_repeatable: false, was_reused: true };
        assert_eq!(decide(sent), Verdict::GiveUp);
        let repeatable = Failed { is_repeatable: true, ..sent };
        assert_eq!(decide(repeatable), Verdict::AgainWithinBudget);
        assert_eq!(decide(Failed { progress: Progress::Unsent, ..sent }), Verdict::Again);
        assert_eq!(decide(Failed { progress: Progress::Unsent, was_reused: false, ..repeatable }), Verdict::GiveUp);
        assert_eq!(decide(Failed { progress: Progress::Answered, ..repeatable }), Verdict::GiveUp);
        // By the upstream's own word, also over a fresh connection
        let fresh = Failed { was_reused: false, ..sent };
        assert_eq!(decide(Failed { progress: Progress::Unprocessed, ..fresh }), Verdict::Again);
        assert_eq!(decide(Failed { progress: Progress::Refused, ..fresh }), Verdict::AgainWithinBudget);
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_retries_and_a_few_always() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let taken = |budget: &mut Budget| (0..1000).filter(|_| budget.retry()).count();
        budget.request(start);
        assert_eq!(taken(&mut budget), 10);
        (0..499).for_each(|_| budget.request(start));
        assert_eq!(taken(&mut budget), 90);
        budget.request(start + WINDOW);
        assert_eq!(taken(&mut budget), 10);
    }

    #[test]
    fn posts_need_a_key() {
        let mut headers = HeaderMap::new();
        assert!(is_repeatable(&Method::PUT, &headers) && !is_repeatable(&Method::POST, &headers));
        headers.insert("idempotency-key", "1".parse().unwrap());
        assert!(is_repeatable(&Method::POST, &headers));
    }
}
