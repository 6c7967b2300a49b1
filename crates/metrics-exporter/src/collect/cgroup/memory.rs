//! The memory metrics that both versions have.

use super::{
    metrics::{
        MEMORY_ACTIVE_FILE, MEMORY_CACHE, MEMORY_FAILCNT, MEMORY_FAILURES, MEMORY_FILE_DIRTY, MEMORY_FILE_WRITEBACK,
        MEMORY_INACTIVE_FILE, MEMORY_KERNEL, MEMORY_LIMIT, MEMORY_MAPPED_FILE, MEMORY_MAX_USAGE, MEMORY_REFAULT_ANON,
        MEMORY_REFAULT_FILE, MEMORY_RESERVATION, MEMORY_RSS, MEMORY_SWAP, MEMORY_SWAP_LIMIT, MEMORY_USAGE,
        MEMORY_WORKING_SET, OOM_EVENTS,
    },
    readings::Readings,
    values::Limit,
};
use crate::collect::{collected::Labels, number::float};

/// Bytes and counts; `None` for those that could not be read
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    pub(super) usage: Option<u64>,
    pub(super) max_usage: Option<u64>,
    pub(super) rss: Option<u64>,
    pub(super) cache: Option<u64>,
    pub(super) mapped_file: Option<u64>,
    pub(super) swap: Option<u64>,
    pub(super) kernel: Option<u64>,
    pub(super) active_file: Option<u64>,
    pub(super) inactive_file: Option<u64>,
    pub(super) file_dirty: Option<u64>,
    pub(super) file_writeback: Option<u64>,
    pub(super) refault_file: Option<u64>,
    pub(super) refault_anon: Option<u64>,
    pub(super) failcnt: Option<u64>,
    pub(super) oom_kills: Option<u64>,
    pub(super) own_faults: PageFaults,
    /// The page faults of the cgroup and of those below
    pub(super) all_faults: PageFaults,
}

/// All page faults, and the major ones, which had to read from a disk
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageFaults {
    pub(super) all: Option<u64>,
    pub(super) major: Option<u64>,
}

/// The memory limits of the container
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryLimits {
    pub(super) limit: Option<Limit>,
    pub(super) swap_limit: Option<Limit>,
    pub(super) reservation: Option<Limit>,
}

impl Memory {
    /// Memory without the inactive file pages, as the kubelet computes it; not less than 0, because the two numbers are read at
    /// different moments.
    pub(super) fn working_set(&self) -> Option<u64> {
        Some(self.usage?.saturating_sub(self.inactive_file?))
    }

    pub(super) fn put(&self, readings: &mut Readings) {
        readings.put_count(&MEMORY_USAGE, self.usage);
        readings.put_count(&MEMORY_WORKING_SET, self.working_set());
        readings.put_count(&MEMORY_MAX_USAGE, self.max_usage);
        readings.put_count(&MEMORY_RSS, self.rss);
        readings.put_count(&MEMORY_CACHE, self.cache);
        readings.put_count(&MEMORY_MAPPED_FILE, self.mapped_file);
        readings.put_count(&MEMORY_SWAP, self.swap);
        readings.put_count(&MEMORY_KERNEL, self.kernel);
        readings.put_count(&MEMORY_ACTIVE_FILE, self.active_file);
        readings.put_count(&MEMORY_INACTIVE_FILE, self.inactive_file);
        readings.put_count(&MEMORY_FILE_DIRTY, self.file_dirty);
        readings.put_count(&MEMORY_FILE_WRITEBACK, self.file_writeback);
        readings.put_count(&MEMORY_REFAULT_FILE, self.refault_file);
        readings.put_count(&MEMORY_REFAULT_ANON, self.refault_anon);
        readings.put_count(&MEMORY_FAILCNT, self.failcnt);
        readings.put_count(&OOM_EVENTS, self.oom_kills);
        self.own_faults.put(readings, "container");
        self.all_faults.put(readings, "hierarchy");
    }
}

impl PageFaults {
    fn put(self, readings: &mut Readings, scope: &str) {
        for (failure, count) in [("pgfault", self.all), ("pgmajfault", self.major)] {
            if let Some(count) = count {
                let labels = Labels::new([("failure_type", failure), ("scope", scope)]);
                readings.collected.push(&MEMORY_FAILURES, &labels, float(count));
            }
        }
    }
}

impl MemoryLimits {
    pub(super) fn put(self, readings: &mut Readings) {
        readings.put_count(&MEMORY_LIMIT, self.limit.map(Limit::or_zero));
        readings.put_count(&MEMORY_SWAP_LIMIT, self.swap_limit.map(Limit::or_zero));
        readings.put_count(&MEMORY_RESERVATION, self.reservation.map(Limit::or_zero));
    }
}
