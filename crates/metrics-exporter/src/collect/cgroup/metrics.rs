//! The metrics of the own cgroup. Those with cAdvisor's names have its units and labels, so that dashboards and alerts for the
//! kubelet's `/metrics/cadvisor` work.

use crate::{collect::metric::Metric, exposition::model::Kind};

/// Every metric of this collector
pub(crate) const METRICS: &[&[Metric]] = &[CPU, MEMORY, IO, PIDS, PRESSURE];

const CPU: &[Metric] = &[
    CPU_USAGE,
    CPU_USER,
    CPU_SYSTEM,
    CPU_PERIODS,
    CPU_THROTTLED_PERIODS,
    CPU_THROTTLED_TIME,
    CPU_BURST_PERIODS,
    CPU_BURST_TIME,
    CPU_PERIOD,
    CPU_QUOTA,
    CPU_SHARES,
    CPU_THROTTLED_RATIO,
];
const MEMORY: &[Metric] = &[
    MEMORY_USAGE,
    MEMORY_WORKING_SET,
    MEMORY_RSS,
    MEMORY_CACHE,
    MEMORY_MAPPED_FILE,
    MEMORY_SWAP,
    MEMORY_KERNEL,
    MEMORY_MAX_USAGE,
    MEMORY_ACTIVE_FILE,
    MEMORY_INACTIVE_FILE,
    MEMORY_FILE_DIRTY,
    MEMORY_FILE_WRITEBACK,
    MEMORY_FAILCNT,
    MEMORY_FAILURES,
    MEMORY_EVENTS_HIGH,
    MEMORY_EVENTS_MAX,
    MEMORY_PGSCAN,
    MEMORY_PGSTEAL,
    MEMORY_REFAULT_FILE,
    MEMORY_REFAULT_ANON,
    OOM_EVENTS,
    MEMORY_LIMIT,
    MEMORY_SWAP_LIMIT,
    MEMORY_RESERVATION,
    MEMORY_LIMIT_RATIO,
];
const IO: &[Metric] = &[
    FS_READ_BYTES,
    FS_READS,
    FS_WRITTEN_BYTES,
    FS_WRITES,
    FS_COST_USAGE,
    FS_COST_WAIT,
    FS_COST_INDEBT,
    FS_COST_INDELAY,
    BLKIO_BYTES,
];
const PIDS: &[Metric] = &[THREADS, THREADS_MAX, PROCESSES, PIDS_LIMIT_RATIO];
const PRESSURE: &[Metric] = &[
    PRESSURE_CPU_WAITING,
    PRESSURE_CPU_STALLED,
    PRESSURE_MEMORY_WAITING,
    PRESSURE_MEMORY_STALLED,
    PRESSURE_IO_WAITING,
    PRESSURE_IO_STALLED,
];

pub(super) const CPU_USAGE: Metric = Metric {
    labels: &["cpu"],
    ..counter(
        "container_cpu_usage_seconds_total",
        "seconds",
        "CPU time that the container used; the label cpu is always total",
    )
};
pub(super) const CPU_USER: Metric =
    counter("container_cpu_user_seconds_total", "seconds", "CPU time that the container used in its own code");
pub(super) const CPU_SYSTEM: Metric =
    counter("container_cpu_system_seconds_total", "seconds", "CPU time that the container used in the kernel");
pub(super) const CPU_PERIODS: Metric = counter(
    "container_cpu_cfs_periods_total",
    "",
    "Enforcement periods of the CPU quota in which the container ran; only with a quota",
);
pub(super) const CPU_THROTTLED_PERIODS: Metric = counter(
    "container_cpu_cfs_throttled_periods_total",
    "",
    "Enforcement periods in which the container used up its CPU quota and had to wait; only with a quota",
);
pub(super) const CPU_THROTTLED_TIME: Metric = counter(
    "container_cpu_cfs_throttled_seconds_total",
    "seconds",
    "Time that the container waited for its next CPU quota, summed over the CPUs; only with a quota",
);
pub(super) const CPU_BURST_PERIODS: Metric = counter(
    "container_cpu_cfs_burst_periods_total",
    "",
    "Enforcement periods in which the container used CPU time that it had saved; only with a quota",
);
pub(super) const CPU_BURST_TIME: Metric = counter(
    "container_cpu_cfs_burst_seconds_total",
    "seconds",
    "CPU time above the quota that the container had saved before; only with a quota",
);
pub(super) const CPU_PERIOD: Metric =
    gauge("container_spec_cpu_period", "", "Length of an enforcement period of the CPU quota in microseconds");
pub(super) const CPU_QUOTA: Metric = gauge(
    "container_spec_cpu_quota",
    "",
    "CPU time in microseconds that each period grants; no series without a quota",
);
pub(super) const CPU_SHARES: Metric = gauge(
    "container_spec_cpu_shares",
    "",
    "Share of the CPUs when they are busy, as version 1 counts it; from a weight of version 2 as cAdvisor converts it",
);
pub(super) const CPU_THROTTLED_RATIO: Metric = gauge(
    "sidekit_metrics_exporter_cpu_throttled_ratio",
    "ratio",
    "Share of the enforcement periods of the last minute in which the container had to wait; no series without a quota",
);

pub(super) const MEMORY_USAGE: Metric =
    gauge("container_memory_usage_bytes", "bytes", "Memory in use, with the page cache");
pub(super) const MEMORY_WORKING_SET: Metric = gauge(
    "container_memory_working_set_bytes",
    "bytes",
    "Memory in use less inactive file pages, which the kernel takes back first",
);
pub(super) const MEMORY_RSS: Metric =
    gauge("container_memory_rss", "bytes", "Anonymous memory, without the page cache");
pub(super) const MEMORY_CACHE: Metric = gauge("container_memory_cache", "bytes", "Page cache, with tmpfs");
pub(super) const MEMORY_MAPPED_FILE: Metric =
    gauge("container_memory_mapped_file", "bytes", "Files that are mapped into memory");
pub(super) const MEMORY_SWAP: Metric = gauge("container_memory_swap", "bytes", "Swap space in use");
pub(super) const MEMORY_KERNEL: Metric =
    gauge("container_memory_kernel_usage", "bytes", "Memory that the kernel uses for the container");
pub(super) const MEMORY_MAX_USAGE: Metric =
    gauge("container_memory_max_usage_bytes", "bytes", "Most memory that was ever in use");
pub(super) const MEMORY_ACTIVE_FILE: Metric =
    gauge("container_memory_total_active_file_bytes", "bytes", "File pages that were used lately");
pub(super) const MEMORY_INACTIVE_FILE: Metric =
    gauge("container_memory_total_inactive_file_bytes", "bytes", "File pages that the kernel takes back first");
pub(super) const MEMORY_FILE_DIRTY: Metric =
    gauge("container_memory_file_dirty_bytes", "bytes", "File pages that have yet to be written back");
pub(super) const MEMORY_FILE_WRITEBACK: Metric =
    gauge("container_memory_file_writeback_bytes", "bytes", "File pages that are being written back");
/// Untyped, though a counter in cAdvisor, because OpenMetrics requires `_total` for a counter and dashboards use this name.
pub(super) const MEMORY_FAILCNT: Metric = Metric {
    kind: Kind::Unknown,
    ..counter("container_memory_failcnt", "", "How often the memory in use was about to exceed the limit")
};
pub(super) const MEMORY_FAILURES: Metric = Metric {
    labels: &["failure_type", "scope"],
    ..counter(
        "container_memory_failures_total",
        "",
        "Page faults; the label failure_type is pgfault or pgmajfault, scope is container or hierarchy",
    )
};
pub(super) const MEMORY_EVENTS_HIGH: Metric = counter(
    "container_memory_events_high_total",
    "",
    "How often the container was slowed down because it exceeded memory.high; version 2 only",
);
pub(super) const MEMORY_EVENTS_MAX: Metric = counter(
    "container_memory_events_max_total",
    "",
    "How often the memory in use was about to exceed memory.max; version 2 only",
);
pub(super) const MEMORY_PGSCAN: Metric =
    counter("container_memory_pgscan_total", "", "Pages that the kernel looked at to take them back; version 2 only");
pub(super) const MEMORY_PGSTEAL: Metric =
    counter("container_memory_pgsteal_total", "", "Pages that the kernel took back; version 2 only");
pub(super) const MEMORY_REFAULT_FILE: Metric = counter(
    "container_memory_workingset_refault_file_total",
    "",
    "File pages that had to be read again because the kernel took them back",
);
pub(super) const MEMORY_REFAULT_ANON: Metric = counter(
    "container_memory_workingset_refault_anon_total",
    "",
    "Anonymous pages that had to be read again from swap space",
);
pub(super) const OOM_EVENTS: Metric =
    counter("container_oom_events_total", "", "Processes of the container that the kernel killed for want of memory");
pub(super) const MEMORY_LIMIT: Metric =
    gauge("container_spec_memory_limit_bytes", "bytes", "Memory limit of the container; 0 for none");
pub(super) const MEMORY_SWAP_LIMIT: Metric = gauge(
    "container_spec_memory_swap_limit_bytes",
    "bytes",
    "Limit of swap space, in version 1 of memory and swap space together; 0 for none, in version 2 also for no swap space at all",
);
pub(super) const MEMORY_RESERVATION: Metric = gauge(
    "container_spec_memory_reservation_limit_bytes",
    "bytes",
    "Memory that is kept for the container: memory.min, in version 1 the soft limit; 0 for none",
);
pub(super) const MEMORY_LIMIT_RATIO: Metric = gauge(
    "sidekit_metrics_exporter_memory_working_set_limit_ratio",
    "ratio",
    "Working set to the smallest memory limit of the container and of the visible cgroups above it; no series without a limit",
);

pub(super) const FS_READ_BYTES: Metric =
    device_counter("container_fs_reads_bytes_total", "bytes", "Bytes that the container read from the device");
pub(super) const FS_READS: Metric =
    device_counter("container_fs_reads_total", "", "Reads from the device that were completed");
pub(super) const FS_WRITTEN_BYTES: Metric =
    device_counter("container_fs_writes_bytes_total", "bytes", "Bytes that the container wrote to the device");
pub(super) const FS_WRITES: Metric =
    device_counter("container_fs_writes_total", "", "Writes to the device that were completed");
pub(super) const FS_COST_USAGE: Metric = device_counter(
    "container_fs_io_cost_usage_seconds_total",
    "seconds",
    "Time of the device that the container used up",
);
pub(super) const FS_COST_WAIT: Metric =
    device_counter("container_fs_io_cost_wait_seconds_total", "seconds", "Time that requests waited for their share");
pub(super) const FS_COST_INDEBT: Metric =
    device_counter("container_fs_io_cost_indebt_seconds_total", "seconds", "Time that the container owed for swapping");
pub(super) const FS_COST_INDELAY: Metric = device_counter(
    "container_fs_io_cost_indelay_seconds_total",
    "seconds",
    "Time that the container was slowed down for",
);
pub(super) const BLKIO_BYTES: Metric = Metric {
    labels: &["device", "major", "minor", "operation"],
    ..counter("container_blkio_device_usage_total", "", "Bytes that went from and to the device, by operation")
};

pub(super) const THREADS: Metric = gauge("container_threads", "", "Threads in the container");
pub(super) const THREADS_MAX: Metric = gauge("container_threads_max", "", "Limit of threads; 0 for none");
pub(super) const PROCESSES: Metric = gauge("container_processes", "", "Processes in the container");
pub(super) const PIDS_LIMIT_RATIO: Metric = gauge(
    "sidekit_metrics_exporter_pids_limit_ratio",
    "ratio",
    "Threads to the limit of threads; no series without a limit",
);

pub(super) const PRESSURE_CPU_WAITING: Metric =
    pressure("container_pressure_cpu_waiting_seconds_total", "Time that a task of the container waited for a CPU");
pub(super) const PRESSURE_CPU_STALLED: Metric =
    pressure("container_pressure_cpu_stalled_seconds_total", "Time that all tasks of the container waited for a CPU");
pub(super) const PRESSURE_MEMORY_WAITING: Metric =
    pressure("container_pressure_memory_waiting_seconds_total", "Time that a task of the container waited for memory");
pub(super) const PRESSURE_MEMORY_STALLED: Metric = pressure(
    "container_pressure_memory_stalled_seconds_total",
    "Time that all tasks of the container waited for memory",
);
pub(super) const PRESSURE_IO_WAITING: Metric =
    pressure("container_pressure_io_waiting_seconds_total", "Time that a task of the container waited for I/O");
pub(super) const PRESSURE_IO_STALLED: Metric =
    pressure("container_pressure_io_stalled_seconds_total", "Time that all tasks of the container waited for I/O");

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels: &[] }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help, labels: &[] }
}

const fn device_counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { labels: &["device"], ..counter(name, unit, help) }
}

const fn pressure(name: &'static str, help: &'static str) -> Metric {
    counter(name, "seconds", help)
}
