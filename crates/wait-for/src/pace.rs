//! When to ask again, by the reason of the last refusal. Pure: randomness is passed in.
//!
//! A closed port costs nothing to ask, so the wait grows with the time already waited: a port that
//! opens is seen after a twentieth of that at the latest. An unknown name costs the cluster's DNS,
//! which remembers the "no" for seconds anyhow.

use std::time::Duration;

use lifecycle::Backoff;

use crate::not_ready::{Cause, NotReady};

/// Nothing there, or not yet as wanted: the first and the longest delay
const QUICK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The delay is the time since the reason came up, divided by this
const QUICK_SHARE: u32 = 20;
/// Resolvers cache a negative answer, `CoreDNS` for 5 to 30 s; hundreds of pods ask.
const NAMES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));
/// A silent server has cost the whole attempt's time already; one that said "never" will hardly
/// change its mind.
const SILENT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Each question is work for an overloaded server: the first and the longest delay, and the share
/// of the time waited
const OVERLOADED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
const OVERLOADED_SHARE: u32 = 10;
/// A server may ask for a rest of this length at most: after a longer one the answer would come too
/// late for most timeouts.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Between consecutive successes
const STABLE: Duration = Duration::from_millis(500);

/// The pace of one target
#[derive(Debug)]
pub(crate) struct Pace {
    fixed: Option<Duration>,
    manner: Option<Manner>,
    /// Time spent waiting in this manner
    waited: Duration,
    silent: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Quick,
    Names,
    Silent,
    Overloaded,
    Watched,
}

impl Pace {
    /// With `fixed` every delay is that long, unless the server asks for a longer rest.
    pub(crate) fn new(fixed: Option<Duration>) -> Self {
        Self { fixed, manner: None, waited: Duration::ZERO, silent: Backoff::new(SILENT.0, SILENT.1) }
    }

    /// The delay after a success that must be repeated.
    pub(crate) fn after_success(&mut self) -> Duration {
        self.manner = None;
        self.fixed.unwrap_or(STABLE)
    }

    /// The delay after a refusal; `random` lies in `0.0..1.0`.
    pub(crate) fn after(&mut self, refusal: &NotReady, random: f64) -> Duration {
        let rest = refusal.rest.unwrap_or_default().min(LONGEST_REST);
        if let Some(fixed) = self.fixed {
            return fixed.max(rest);
        }
        let manner = Manner::of(refusal);
        if self.manner.replace(manner) != Some(manner) {
            self.waited = Duration::ZERO;
            self.silent.reset();
        }
        let delay = match manner {
            // Jitter parts pods that started together, and shortens only: the promise is about the
            // latest moment.
            Manner::Quick => (self.waited / QUICK_SHARE).clamp(QUICK.0, QUICK.1).mul_f64(1.0 - random / 2.0),
            // Here it lengthens only, because a server that names the time of its rest gives all
            // clients the same.
            Manner::Overloaded => {
                let shortest = (self.waited / OVERLOADED_SHARE).clamp(OVERLOADED.0, OVERLOADED.1);
                shortest.max(rest).mul_f64(1.0 + random / 4.0)
            }
            Manner::Names => NAMES.0 + NAMES.1.saturating_sub(NAMES.0).mul_f64(random),
            Manner::Silent => self.silent.next(random),
            // The next attempt itself waits, for a change.
            Manner::Watched => Duration::ZERO,
        };
        self.waited += delay;
        delay
    }
}

impl Manner {
    fn of(refusal: &NotReady) -> Self {
        match refusal.cause {
            _ if refusal.rest.is_some() => Self::Overloaded,
            Cause::Absent | Cause::Contrary | Cause::Busy | Cause::Odd => Self::Quick,
            Cause::UnknownName | Cause::NoResolver => Self::Names,
            // With --retry-all: repeated logins in quick succession would lock an account.
            Cause::Silent | Cause::Never(_) => Self::Silent,
            Cause::Watched => Self::Watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(cause: Cause) -> NotReady {
        NotReady::new(cause, "x")
    }

    /// The mean time from a port's opening, at any moment of the first ten seconds, to the next
    /// attempt.
    fn mean_lateness(random: impl Fn() -> f64) -> Duration {
        let (mut pace, mut now, mut area) = (Pace::new(None), 0.0, 0.0);
        while now < 10.0 {
            let delay = pace.after(&refusal(Cause::Absent), random()).as_secs_f64();
            area += delay * delay / 2.0;
            now += delay;
        }
        Duration::from_secs_f64(area / now)
    }

    #[test]
    fn an_opened_port_is_seen_within_200_ms_on_average_in_the_first_ten_seconds() {
        for random in [0.0, 0.5] {
            let mean = mean_lateness(|| random);
            assert!(mean < Duration::from_millis(200), "{mean:?}");
        }
    }

    #[test]
    fn a_new_reason_starts_anew() {
        let mut pace = Pace::new(None);
        for _ in 0..1000 {
            pace.after(&refusal(Cause::Absent), 0.0);
        }
        assert_eq!(pace.after(&refusal(Cause::Absent), 0.0), QUICK.1);
        assert_eq!(pace.after(&refusal(Cause::UnknownName), 0.0), NAMES.0);
        assert_eq!(pace.after(&refusal(Cause::Absent), 0.0), QUICK.0);
    }

    #[test]
    fn a_refused_login_is_not_repeated_quickly() {
        let mut pace = Pace::new(None);
        assert!(pace.after(&refusal(Cause::Never(lifecycle::Exit::Denied)), 0.0) >= SILENT.0);
    }

    #[test]
    fn an_overloaded_server_is_asked_ever_more_slowly() {
        let mut pace = Pace::new(None);
        let overloaded = refusal(Cause::Busy).overloaded(None);
        assert_eq!(pace.after(&overloaded, 0.0), OVERLOADED.0);
        for _ in 0..100 {
            pace.after(&overloaded, 0.0);
        }
        assert_eq!(pace.after(&overloaded, 0.0), OVERLOADED.1);
        assert_eq!(pace.after(&refusal(Cause::Busy), 0.0), QUICK.0);
    }

    #[test]
    fn a_server_gets_the_rest_that_it_asks_for_within_bounds() {
        let asking = |seconds| refusal(Cause::Contrary).overloaded(Some(Duration::from_secs(seconds)));
        let mut pace = Pace::new(None);
        assert_eq!(pace.after(&asking(7), 0.0), Duration::from_secs(7));
        assert!(pace.after(&asking(7), 0.5) > Duration::from_secs(7), "pods that were refused at once come apart");
        assert_eq!(pace.after(&asking(86_400), 0.0), LONGEST_REST);
        let mut fixed = Pace::new(Some(Duration::from_secs(3)));
        assert_eq!(fixed.after(&asking(7), 0.9), Duration::from_secs(7));
        assert_eq!(fixed.after(&asking(1), 0.9), Duration::from_secs(3));
    }

    #[test]
    fn a_fixed_interval_is_kept() {
        let mut pace = Pace::new(Some(Duration::from_millis(7)));
        for cause in [Cause::Absent, Cause::UnknownName, Cause::Silent] {
            assert_eq!(pace.after(&refusal(cause), 0.9), Duration::from_millis(7));
        }
        assert_eq!(pace.after_success(), Duration::from_millis(7));
    }

    proptest! {
        #[test]
        fn names_are_never_asked_faster_than_every_two_seconds(random in 0.0..1.0f64) {
            let mut pace = Pace::new(None);
            prop_assert!(pace.after(&refusal(Cause::UnknownName), random) >= Duration::from_secs(2));
            prop_assert!(pace.after(&refusal(Cause::NoResolver), random) >= Duration::from_secs(2));
        }
    }
}
