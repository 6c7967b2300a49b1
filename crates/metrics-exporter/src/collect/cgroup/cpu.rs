//! CPU time and its quota, as both versions have them.

use super::{
    metrics::{
        CPU_BURST_PERIODS, CPU_BURST_TIME, CPU_PERIOD, CPU_PERIODS, CPU_QUOTA, CPU_SHARES, CPU_SYSTEM,
        CPU_THROTTLED_PERIODS, CPU_THROTTLED_TIME, CPU_USAGE, CPU_USER,
    },
    readings::Readings,
    values::Limit,
};
use crate::collect::{collected::Labels, number::float};

/// CPU time in seconds
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTime {
    pub(super) usage: Option<f64>,
    pub(super) user: Option<f64>,
    pub(super) system: Option<f64>,
}

/// The limits of CPU time
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuShare {
    /// Microseconds in each period
    pub(super) quota: Option<Limit>,
    /// Microseconds
    pub(super) period: Option<u64>,
    pub(super) shares: Option<u64>,
}

/// The effect of a quota: counters since the cgroup was created
#[derive(Clone, Copy, Debug)]
pub(super) struct Bandwidth {
    pub(super) periods: Option<u64>,
    pub(super) throttled_periods: Option<u64>,
    pub(super) throttled_seconds: Option<f64>,
    pub(super) burst_periods: Option<u64>,
    pub(super) burst_seconds: Option<f64>,
}

impl CpuTime {
    pub(super) fn put(self, readings: &mut Readings) {
        if let Some(usage) = self.usage {
            readings.collected.push(&CPU_USAGE, &Labels::new([("cpu", "total")]), usage);
        }
        readings.put(&CPU_USER, self.user);
        readings.put(&CPU_SYSTEM, self.system);
    }
}

impl CpuShare {
    pub(super) fn has_quota(self) -> bool {
        matches!(self.quota, Some(Limit::Of(_)))
    }

    pub(super) fn put(self, readings: &mut Readings) {
        readings.put_count(&CPU_PERIOD, self.period);
        if let Some(Limit::Of(quota)) = self.quota {
            readings.put(&CPU_QUOTA, float(quota));
        }
        readings.put_count(&CPU_SHARES, self.shares);
    }
}

impl Bandwidth {
    pub(super) fn put(self, readings: &mut Readings) {
        readings.put_count(&CPU_PERIODS, self.periods);
        readings.put_count(&CPU_THROTTLED_PERIODS, self.throttled_periods);
        readings.put(&CPU_THROTTLED_TIME, self.throttled_seconds);
        readings.put_count(&CPU_BURST_PERIODS, self.burst_periods);
        readings.put(&CPU_BURST_TIME, self.burst_seconds);
    }

    /// The number of periods, and of those that were throttled
    pub(super) fn counters(self) -> Option<(u64, u64)> {
        self.periods.zip(self.throttled_periods)
    }
}
