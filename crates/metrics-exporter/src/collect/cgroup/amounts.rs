//! Amounts that have a limit, and their ratio to it. Without a limit there is no ratio.

use std::time::Instant;

use super::{
    metrics::{CPU_THROTTLED_RATIO, MEMORY_LIMIT_RATIO, PIDS_LIMIT_RATIO},
    readings::Readings,
    throttling::{Sample, Throttling},
    values::Limit,
};
use crate::collect::number::float;

/// The amounts and limits that the ratios are made of; `None` for those that could not be read
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amounts {
    pub(super) working_set: Option<u64>,
    /// The smallest limit in bytes of the own cgroup and of those above it
    pub(super) memory_limit: Option<Limit>,
    pub(super) threads: Option<u64>,
    pub(super) threads_limit: Option<Limit>,
    /// The number of enforcement periods, and of those that were throttled; `None` without a quota
    pub(super) periods: Option<(u64, u64)>,
}

impl Amounts {
    /// Adds the ratios to the readings.
    pub(super) fn put(self, readings: &mut Readings, throttling: &mut Throttling, at: Instant) {
        readings.put(&MEMORY_LIMIT_RATIO, share(self.working_set, self.memory_limit));
        readings.put(&PIDS_LIMIT_RATIO, share(self.threads, self.threads_limit));
        let sample = self.periods.map(|(periods, throttled)| Sample { at, periods, throttled });
        readings.put(&CPU_THROTTLED_RATIO, sample.and_then(|sample| throttling.ratio(sample)));
    }
}

/// The ratio of an amount to its limit; `None` for a limit of 0, because a division by it has no meaning.
fn share(amount: Option<u64>, limit: Option<Limit>) -> Option<f64> {
    match limit? {
        Limit::None | Limit::Of(0) => None,
        Limit::Of(limit) => Some(float(amount?) / float(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_no_share() {
        assert_eq!(share(Some(5), Some(Limit::Of(20))), Some(0.25));
        // A limit that was lowered below the use
        assert_eq!(share(Some(30), Some(Limit::Of(20))), Some(1.5));
        assert_eq!(share(Some(5), Some(Limit::None)), None);
        assert_eq!(share(Some(5), Some(Limit::Of(0))), None);
        assert_eq!(share(Some(5), None), None);
        assert_eq!(share(None, Some(Limit::Of(20))), None);
    }
}
