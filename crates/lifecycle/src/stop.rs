//! A stop from its first request to its deadline: a state machine without a clock of its own.
//!
//! The main thread uses it twice: while the settings are read, and while the job runs.

use std::time::{Duration, Instant};

use crate::signal::Signal;

/// A stop signal that arrives within this time of the first one is the same request. GNU timeout, npm and shells signal
/// both a child and its process group, and so deliver one stop twice.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A stop: whether it was asked for, and how long it may take
#[derive(Debug)]
pub(crate) struct Stop {
    /// The time from the first request to the deadline
    allowed: Duration,
    first_signal: Option<(Signal, Instant)>,
    deadline: Option<Instant>,
}

/// The effect of a request to stop
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first request: the stop begins now
    Begin,
    /// A request that changes nothing
    Ignore,
    /// A second signal: the helper ends at once
    EndAtOnce,
}

impl Stop {
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { allowed, first_signal: None, deadline: None }
    }

    /// A stop signal has arrived.
    pub(crate) fn signal(&mut self, signal: Signal, at: Instant) -> Step {
        match self.first_signal {
            None => {
                self.first_signal = Some((signal, at));
                self.request(at)
            }
            Some((_, first)) if at.saturating_duration_since(first) < SAME_REQUEST => Step::Ignore,
            Some(_) => Step::EndAtOnce,
        }
    }

    /// Something other than a signal asks for the stop. The first signal after it is still a first one.
    pub(crate) fn request(&mut self, at: Instant) -> Step {
        if self.deadline.is_some() {
            return Step::Ignore;
        }
        self.deadline = Some(at + self.allowed);
        Step::Begin
    }

    /// The time by which the stop must be over; `None` before it was asked for.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The first stop signal, and when it arrived.
    pub(crate) fn first_signal(&self) -> Option<(Signal, Instant)> {
        self.first_signal
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signal_within_a_second_is_the_same_request_and_a_later_one_ends_at_once() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut stop = Stop::new(Duration::from_secs(25));
        assert_eq!(stop.deadline(), None);
        assert_eq!(stop.signal(Signal::Term, at(0)), Step::Begin);
        assert_eq!(stop.signal(Signal::Term, at(0)), Step::Ignore);
        assert_eq!(stop.signal(Signal::Int, at(999)), Step::Ignore);
        assert_eq!(stop.signal(Signal::Int, at(1000)), Step::EndAtOnce);
        assert_eq!(stop.deadline(), Some(at(25_000)));
        assert_eq!(stop.first_signal(), Some((Signal::Term, at(0))));
    }

    #[test]
    fn a_signal_after_another_request_is_a_first_one_and_moves_no_deadline() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut stop = Stop::new(Duration::from_secs(25));
        assert_eq!(stop.request(at(0)), Step::Begin);
        assert_eq!(stop.request(at(1)), Step::Ignore);
        assert_eq!(stop.signal(Signal::Term, at(5)), Step::Ignore);
        assert_eq!(stop.signal(Signal::Term, at(7)), Step::EndAtOnce);
        assert_eq!(stop.deadline(), Some(at(25)));
    }

    proptest! {
        #[test]
        fn no_order_of_requests_begins_twice_or_moves_the_deadline(
            requests in proptest::collection::vec((any::<bool>(), 0_u64..5_000), 1..20),
        ) {
            let start = Instant::now();
            let mut stop = Stop::new(Duration::from_secs(10));
            let mut begun = 0;
            let mut milliseconds = 0;
            let mut deadline = None;
            for (is_signal, pause) in requests {
                milliseconds += pause;
                let at = start + Duration::from_millis(milliseconds);
                let step = if is_signal { stop.signal(Signal::Term, at) } else { stop.request(at) };
                begun += usize::from(step == Step::Begin);
                deadline = deadline.or(stop.deadline());
                prop_assert_eq!(stop.deadline(), deadline);
            }
            prop_assert_eq!(begun, 1);
        }
    }
}
