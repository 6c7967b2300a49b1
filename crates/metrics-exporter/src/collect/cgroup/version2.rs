//! The unified hierarchy of version 2: one directory with the files of all controllers (the kernel's cgroup-v2.rst).

use super::{
    amounts::Amounts,
    block_io::Devices,
    cpu::{Bandwidth, CpuShare, CpuTime},
    device::io_stat,
    directory::Directory,
    flaw::Flaw,
    memory::{Memory, MemoryLimits, PageFaults},
    metrics::{
        FS_COST_INDEBT, FS_COST_INDELAY, FS_COST_USAGE, FS_COST_WAIT, FS_READ_BYTES, FS_READS, FS_WRITES,
        FS_WRITTEN_BYTES, MEMORY_EVENTS_HIGH, MEMORY_EVENTS_MAX, MEMORY_PGSCAN, MEMORY_PGSTEAL, PRESSURE_CPU_STALLED,
        PRESSURE_CPU_WAITING, PRESSURE_IO_STALLED, PRESSURE_IO_WAITING, PRESSURE_MEMORY_STALLED,
        PRESSURE_MEMORY_WAITING,
    },
    pressure::pressure,
    readings::Readings,
    values,
};
use crate::collect::{metric::Metric, number::float};

/// Microseconds in a second
const MICROSECONDS: f64 = 1e6;

const PRESSURES: [(&str, &Metric, &Metric); 3] = [
    ("cpu.pressure", &PRESSURE_CPU_WAITING, &PRESSURE_CPU_STALLED),
    ("memory.pressure", &PRESSURE_MEMORY_WAITING, &PRESSURE_MEMORY_STALLED),
    ("io.pressure", &PRESSURE_IO_WAITING, &PRESSURE_IO_STALLED),
];

/// Keys of io.stat; only devices with io.cost, which shares the device's time, have `cost.*`
const IO_KEYS: [&str; 8] =
    ["rbytes", "wbytes", "rios", "wios", "cost.usage", "cost.wait", "cost.indebt", "cost.indelay"];

/// Reads CPU time, the quota and its counters.
pub(super) fn cpu(directory: &Directory, readings: &mut Readings, amounts: &mut Amounts) {
    let quota = readings.file(directory, "cpu.max", values::quota);
    let share = CpuShare {
        quota: quota.map(|(quota, _)| quota),
        period: quota.map(|(_, period)| period),
        shares: readings.file(directory, "cpu.weight", |text| shares(values::number(text)?)),
    };
    share.put(readings);
    let times = ["cpu.stat usage_usec", "cpu.stat user_usec", "cpu.stat system_usec"];
    if !share.has_quota() {
        let [usage, user, system] = readings.keyed(directory, times);
        CpuTime { usage: seconds(usage), user: seconds(user), system: seconds(system) }.put(readings);
        return;
    }
    let lines = [
        times[0],
        times[1],
        times[2],
        "cpu.stat nr_periods",
        "cpu.stat nr_throttled",
        "cpu.stat throttled_usec",
        "cpu.stat nr_bursts",
        "cpu.stat burst_usec",
    ];
    let [usage, user, system, periods, throttled_periods, throttled, burst_periods, burst] =
        readings.keyed(directory, lines);
    CpuTime { usage: seconds(usage), user: seconds(user), system: seconds(system) }.put(readings);
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

/// Converts a weight of 1 to 10000 into the shares of version 1, from 2 to 262144, like cAdvisor. An idle cgroup has weight 0.
fn shares(weight: u64) -> Result<u64, Flaw> {
    match weight {
        0 => Ok(0),
        1..=10_000 => Ok(2 + (weight - 1) * 262_142 / 9_999),
        _ => Err(Flaw::MALFORMED),
    }
}

/// Reads memory in use, with that of the cgroups below, and its limits. `above` is the number of visible cgroups above.
pub(super) fn memory(directory: &Directory, above: usize, readings: &mut Readings, amounts: &mut Amounts) {
    let mut memory = memory_stat(directory, readings);
    memory.usage = readings.number(directory, "memory.current");
    memory.max_usage = readings.number(directory, "memory.peak");
    memory.swap = readings.number(directory, "memory.swap.current");
    let events = ["memory.events high", "memory.events max", "memory.events oom_kill"];
    let [high, max, oom_kills] = readings.keyed(directory, events);
    memory.failcnt = max;
    memory.oom_kills = oom_kills;
    memory.put(readings);
    readings.put_count(&MEMORY_EVENTS_HIGH, high);
    readings.put_count(&MEMORY_EVENTS_MAX, max);
    let limits = MemoryLimits {
        limit: readings.limit(directory, "memory.max"),
        swap_limit: readings.limit(directory, "memory.swap.max"),
        reservation: readings.limit(directory, "memory.min"),
    };
    limits.put(readings);
    amounts.working_set = memory.working_set();
    amounts.memory_limit = limits.limit.map(|limit| limit.min(readings.limit_above(directory, above)));
}

fn memory_stat(directory: &Directory, readings: &mut Readings) -> Memory {
    let lines = [
        "memory.stat anon",
        "memory.stat file",
        "memory.stat file_mapped",
        "memory.stat kernel",
        "memory.stat active_file",
        "memory.stat inactive_file",
        "memory.stat file_dirty",
        "memory.stat file_writeback",
        "memory.stat workingset_refault_file",
        "memory.stat workingset_refault_anon",
        "memory.stat pgfault",
        "memory.stat pgmajfault",
        "memory.stat pgscan",
        "memory.stat pgsteal",
    ];
    let [anon, file, file_mapped, kernel, active_file, inactive_file, dirty, writeback, refaults @ .., scan, steal] =
        readings.keyed(directory, lines);
    let [refault_file, refault_anon, all, major] = refaults;
    readings.put_count(&MEMORY_PGSCAN, scan);
    readings.put_count(&MEMORY_PGSTEAL, steal);
    Memory {
        rss: anon,
        cache: file,
        mapped_file: file_mapped,
        kernel,
        active_file,
        inactive_file,
        file_dirty: dirty,
        file_writeback: writeback,
        refault_file,
        refault_anon,
        // The counts include the cgroups below; cAdvisor uses them for both scopes.
        own_faults: PageFaults { all, major },
        all_faults: PageFaults { all, major },
        ..Memory::default()
    }
}

/// Reads the I/O of each device.
pub(super) fn io(directory: &Directory, devices: &mut Devices, readings: &mut Readings) {
    for entry in readings.file(directory, "io.stat", |text| io_stat(text, &IO_KEYS)).unwrap_or_default() {
        let (metric, per_unit): (&'static Metric, f64) = match entry.name {
            "rbytes" => (&FS_READ_BYTES, 1.0),
            "wbytes" => (&FS_WRITTEN_BYTES, 1.0),
            "rios" => (&FS_READS, 1.0),
            "wios" => (&FS_WRITES, 1.0),
            "cost.usage" => (&FS_COST_USAGE, MICROSECONDS),
            "cost.wait" => (&FS_COST_WAIT, MICROSECONDS),
            "cost.indebt" => (&FS_COST_INDEBT, MICROSECONDS),
            _ => (&FS_COST_INDELAY, MICROSECONDS),
        };
        devices.put(readings, metric, &entry, per_unit);
        match entry.name {
            "rbytes" => devices.put_operation(readings, &entry, "Read"),
            "wbytes" => devices.put_operation(readings, &entry, "Write"),
            _ => {}
        }
    }
}

/// Reads pressure stall information, or notes the reason why the container has none.
pub(super) fn pressures(directory: Result<&Directory, Flaw>, readings: &mut Readings) {
    for (file, waiting, stalled) in PRESSURES {
        let found = directory.map(|directory| readings.file(directory, file, |text| Ok(pressure(text))));
        let Some(pressure) = readings.or_note(file, found).flatten() else { continue };
        for (metric, total) in [(waiting, pressure.some), (stalled, pressure.full)] {
            let total = readings.or_note(file, total);
            readings.put(metric, seconds(total));
        }
    }
}

fn seconds(microseconds: Option<u64>) -> Option<f64> {
    microseconds.map(|count| float(count) / MICROSECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_number_of_shares() {
        assert_eq!([1, 39, 100, 10_000, 0].map(shares), [2, 998, 2597, 262_144, 0].map(Ok));
        assert_eq!([10_001, u64::MAX].map(shares), [Err(Flaw::MALFORMED); 2]);
    }
}
