//! The ratio of throttled enforcement periods in the last minute. The counters since the start say little about now, and the
//! window does not depend on the number of scrapers or on their intervals.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::collect::number::float;

/// The window of the ratio
const WINDOW: Duration = Duration::from_secs(60);
/// The least time between kept samples, so that a minute has at most 13, and the least time that a ratio covers
const SPACING: Duration = Duration::from_secs(5);

/// The counters of earlier scrapes, oldest first
#[derive(Debug, Default)]
pub(super) struct Throttling(VecDeque<Sample>);

/// The counters of a scrape
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// The number of enforcement periods in which the container was runnable
    pub(super) periods: u64,
    /// The number of those in which it used up its quota
    pub(super) throttled: u64,
}

impl Throttling {
    /// The ratio of throttled periods to all periods of the last minute, or since the previous scrape where that is longer
    /// ago. It is 0 when the container was never runnable, and `None` at the first scrape.
    pub(super) fn ratio(&mut self, now: Sample) -> Option<f64> {
        if self.0.back().is_some_and(|last| now.periods < last.periods || now.throttled < last.throttled) {
            // Counters that went back belong to another cgroup: the process was moved.
            self.0.clear();
        }
        // The oldest sample to keep is the newest one that is at least as old as the window.
        while self.0.get(1).is_some_and(|second| now.at.duration_since(second.at) >= WINDOW) {
            self.0.pop_front();
        }
        let base = self.0.front().copied().filter(|base| now.at.duration_since(base.at) >= SPACING);
        if self.0.back().is_none_or(|last| now.at.duration_since(last.at) >= SPACING) {
            self.0.push_back(now);
        }
        base.map(|base| share(now.throttled - base.throttled, now.periods - base.periods))
    }
}

fn share(throttled: u64, periods: u64) -> f64 {
    if periods == 0 { 0.0 } else { (float(throttled) / float(periods)).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrapes at these seconds, with these counters
    fn ratios(scrapes: &[(u64, u64, u64)]) -> Vec<Option<f64>> {
        let (mut throttling, start) = (Throttling::default(), Instant::now());
        let sample =
            |&(second, periods, throttled)| Sample { at: start + Duration::from_secs(second), periods, throttled };
        scrapes.iter().map(|scrape| throttling.ratio(sample(scrape))).collect()
    }

    #[test]
    fn the_first_scrape_has_no_share() {
        assert_eq!(ratios(&[(0, 1000, 1000), (15, 1100, 1025)]), [None, Some(0.25)]);
    }

    #[test]
    fn the_share_looks_back_a_minute() {
        // All periods of the first minute are throttled, and no period of the second.
        let counters = |second: u64| (second, second * 10, second.min(60) * 10);
        let scrapes: Vec<_> = (0..=8).map(|count| counters(count * 15)).collect();
        let shares = ratios(&scrapes);
        assert_eq!(shares[1..=4], [Some(1.0); 4]);
        assert_eq!(shares[5..], [Some(0.75), Some(0.5), Some(0.25), Some(0.0)]);
    }

    #[test]
    fn a_second_scraper_does_not_shorten_the_window() {
        let counters = |second: u64| (second, second * 10, second.min(60) * 10);
        let scrapes: Vec<_> = (0..=90).map(counters).collect();
        assert_eq!(ratios(&scrapes)[90], Some(0.5));
    }

    #[test]
    fn scrapes_that_are_far_apart_have_the_time_between_them() {
        assert_eq!(ratios(&[(0, 0, 0), (300, 1000, 100), (600, 1500, 600)]), [None, Some(0.1), Some(1.0)]);
    }

    #[test]
    fn a_container_that_did_not_run_was_not_throttled() {
        assert_eq!(ratios(&[(0, 7, 7), (30, 7, 7)]), [None, Some(0.0)]);
    }

    #[test]
    fn counters_that_went_back_are_those_of_another_cgroup() {
        assert_eq!(ratios(&[(0, 100, 50), (30, 10, 5), (60, 20, 15)]), [None, None, Some(1.0)]);
    }

    #[test]
    fn a_moment_is_no_share_and_the_books_stay_small() {
        assert_eq!(ratios(&[(0, 100, 50), (4, 101, 51)]), [None, None]);
        let mut throttling = Throttling::default();
        let start = Instant::now();
        for tenth in 0..10_000 {
            throttling.ratio(Sample { at: start + Duration::from_millis(100 * tenth), periods: tenth, throttled: 0 });
            assert!(throttling.0.len() <= 14);
        }
    }
}
