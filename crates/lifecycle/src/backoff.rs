//! Retry delays with decorrelated jitter: each delay is a random time between the base and three
//! times the previous delay.
//!
//! Random delays keep many pods that lost the same server from returning to it at the same moment
//! (AWS Architecture Blog, "Exponential Backoff And Jitter"). Pure: randomness is passed in.

use std::time::Duration;

/// Delays that grow from `base` to at most `cap`
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    previous: Duration,
}

impl Backoff {
    /// Starts at `base`; no delay is shorter than `base` or longer than `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap: cap.max(base), previous: base }
    }

    /// The next delay; `random` lies in `0.0..1.0`.
    pub fn next(&mut self, random: f64) -> Duration {
        let longest = self.previous.saturating_mul(3);
        let delay = self.base + longest.saturating_sub(self.base).mul_f64(random.clamp(0.0, 1.0));
        self.previous = delay.min(self.cap);
        self.previous
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.previous = self.base;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(50);
    const CAP: Duration = Duration::from_secs(1);

    #[test]
    fn grows_to_the_cap_and_starts_over() {
        let mut backoff = Backoff::new(BASE, CAP);
        let delays: Vec<_> = std::iter::repeat_with(|| backoff.next(1.0)).take(4).collect();
        assert_eq!(delays, [150, 450, 1000, 1000].map(Duration::from_millis));
        backoff.reset();
        assert_eq!(backoff.next(0.0), BASE);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(draws in proptest::collection::vec(0.0..1.0f64, 1..100)) {
            let mut backoff = Backoff::new(BASE, CAP);
            for random in draws {
                let delay = backoff.next(random);
                prop_assert!((BASE..=CAP).contains(&delay), "{delay:?}");
            }
        }
    }
}
