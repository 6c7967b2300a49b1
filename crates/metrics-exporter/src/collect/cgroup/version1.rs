//! Controllers of version 1, each with a directory of its own (the kernel's cgroup-v1/*.rst and scheduler/sched-bwc.rst).

use super::{
    amounts::Amounts,
    block_io::Devices,
    cpu::{Bandwidth, CpuShare, CpuTime},
    device::blkio,
    directory::Directory,
    memory::{Memory, MemoryLimits, PageFaults},
    metrics::{FS_READ_BYTES, FS_READS, FS_WRITES, FS_WRITTEN_BYTES},
    readings::Readings,
    values::Limit,
};
use crate::collect::number::float;

/// Nanoseconds in a second
const NANOSECONDS: f64 = 1e9;

const BYTES: [&str; 2] = ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"];
const OPERATIONS: [&str; 2] = ["blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"];

/// Reads the quota and its counters.
pub(super) fn cpu(directory: &Directory, readings: &mut Readings, amounts: &mut Amounts) {
    let share = CpuShare {
        quota: readings.limit(directory, "cpu.cfs_quota_us"),
        period: readings.number(directory, "cpu.cfs_period_us"),
        shares: readings.number(directory, "cpu.shares"),
    };
    share.put(readings);
    if !share.has_quota() {
        return;
    }
    let lines = [
        "cpu.stat nr_periods",
        "cpu.stat nr_throttled",
        "cpu.stat throttled_time",
        "cpu.stat nr_bursts",
        "cpu.stat burst_time",
    ];
    let [periods, throttled_periods, throttled, burst_periods, burst] = readings.keyed(directory, lines);
    let bandwidth = Bandwidth {
        periods,
        throttled_periods,
        throttled_seconds: seconds(throttled),
        burst_periods,
        burst_seconds: seconds(burst),
    };
    bandwidth.put(readings);
    amounts.periods = bandwidth.counters();
}

/// Reads CPU time. The kernel counts user and system time in ticks.
pub(super) fn cpuacct(directory: &Directory, readings: &mut Readings) {
    let ticks_per_second = float(rustix::param::clock_ticks_per_second());
    let usage = readings.number(directory, "cpuacct.usage");
    let [user, system] = readings.keyed(directory, ["cpuacct.stat user", "cpuacct.stat system"]);
    let time = CpuTime {
        usage: seconds(usage),
        user: user.map(|ticks| float(ticks) / ticks_per_second),
        system: system.map(|ticks| float(ticks) / ticks_per_second),
    };
    time.put(readings);
}

/// Reads memory in use, with that of the cgroups below, and its limits.
pub(super) fn memory(directory: &Directory, readings: &mut Readings, amounts: &mut Amounts) {
    let (mut memory, effective_limit) = memory_stat(directory, readings);
    memory.usage = readings.number(directory, "memory.usage_in_bytes");
    memory.max_usage = readings.number(directory, "memory.max_usage_in_bytes");
    memory.kernel = readings.number(directory, "memory.kmem.usage_in_bytes");
    memory.failcnt = readings.number(directory, "memory.failcnt");
    [memory.oom_kills] = readings.keyed(directory, ["memory.oom_control oom_kill"]);
    memory.put(readings);
    let limits = MemoryLimits {
        limit: readings.limit(directory, "memory.limit_in_bytes"),
        swap_limit: readings.limit(directory, "memory.memsw.limit_in_bytes"),
        reservation: readings.limit(directory, "memory.soft_limit_in_bytes"),
    };
    limits.put(readings);
    amounts.working_set = memory.working_set();
    amounts.memory_limit = effective_limit;
}

/// Reads the breakdown, and the smallest limit of the cgroup and of all above it, also of those that are not visible.
fn memory_stat(directory: &Directory, readings: &mut Readings) -> (Memory, Option<Limit>) {
    let lines = [
        "memory.stat total_rss",
        "memory.stat total_cache",
        "memory.stat total_mapped_file",
        "memory.stat total_swap",
        "memory.stat total_active_file",
        "memory.stat total_inactive_file",
        "memory.stat total_dirty",
        "memory.stat total_writeback",
        "memory.stat total_workingset_refault_file",
        "memory.stat total_workingset_refault_anon",
        "memory.stat pgfault",
        "memory.stat pgmajfault",
        "memory.stat total_pgfault",
        "memory.stat total_pgmajfault",
        "memory.stat hierarchical_memory_limit",
    ];
    let [rss, cache, mapped_file, swap, active_file, inactive_file, dirty, writeback, file, anon, faults @ .., limit] =
        readings.keyed(directory, lines);
    let [own, own_major, all, all_major] = faults;
    let memory = Memory {
        rss,
        cache,
        mapped_file,
        swap,
        active_file,
        inactive_file,
        file_dirty: dirty,
        file_writeback: writeback,
        refault_file: file,
        refault_anon: anon,
        own_faults: PageFaults { all: own, major: own_major },
        all_faults: PageFaults { all, major: all_major },
        ..Memory::default()
    };
    (memory, limit.map(Limit::of))
}

/// Reads the I/O counts of the throttling layer, because they exist for every I/O scheduler.
pub(super) fn blkio_throttle(directory: &Directory, devices: &mut Devices, readings: &mut Readings) {
    let names = ["Read", "Write", "Sync", "Async", "Discard", "Total"];
    for entry in readings.first_file(directory, BYTES, |text| blkio(text, &names)).unwrap_or_default() {
        match entry.name {
            "Read" => devices.put(readings, &FS_READ_BYTES, &entry, 1.0),
            "Write" => devices.put(readings, &FS_WRITTEN_BYTES, &entry, 1.0),
            _ => {}
        }
        devices.put_operation(readings, &entry, entry.name);
    }
    for entry in readings.first_file(directory, OPERATIONS, |text| blkio(text, &names[..2])).unwrap_or_default() {
        let metric = if entry.name == "Read" { &FS_READS } else { &FS_WRITES };
        devices.put(readings, metric, &entry, 1.0);
    }
}

fn seconds(nanoseconds: Option<u64>) -> Option<f64> {
    nanoseconds.map(|count| float(count) / NANOSECONDS)
}
