//! The metrics of process groups.

use crate::{collect::metric::Metric, exposition::model::Kind};

pub(crate) const METRICS: &[Metric] = &[
    PROCESSES,
    THREADS,
    STATES,
    CPU,
    MEMORY,
    READ,
    WRITTEN,
    MAJOR_FAULTS,
    MINOR_FAULTS,
    DESCRIPTORS,
    WORST_DESCRIPTOR_RATIO,
    OLDEST_START,
];

pub(super) const PROCESSES: Metric =
    of("namedprocess_namegroup_num_procs", Kind::Gauge, "", "Processes of this name", &["groupname"]);
pub(super) const THREADS: Metric =
    of("namedprocess_namegroup_num_threads", Kind::Gauge, "", "Threads of these processes", &["groupname"]);
pub(super) const STATES: Metric = of(
    "namedprocess_namegroup_states",
    Kind::Gauge,
    "",
    "Processes in the states Running, Sleeping, Waiting (for a disk), Zombie and Other",
    &["groupname", "state"],
);
pub(super) const CPU: Metric = of(
    "namedprocess_namegroup_cpu_seconds_total",
    Kind::Counter,
    "seconds",
    "CPU time, in the modes user and system, since the exporter first saw the processes",
    &["groupname", "mode"],
);
pub(super) const MEMORY: Metric = of(
    "namedprocess_namegroup_memory_bytes",
    Kind::Gauge,
    "bytes",
    "Memory, of the types resident, virtual and swapped; memory that processes share counts for each of them",
    &["groupname", "memtype"],
);
pub(super) const READ: Metric = of(
    "namedprocess_namegroup_read_bytes_total",
    Kind::Counter,
    "bytes",
    "Bytes read from disks since the exporter first saw the processes",
    &["groupname"],
);
pub(super) const WRITTEN: Metric = of(
    "namedprocess_namegroup_write_bytes_total",
    Kind::Counter,
    "bytes",
    "Bytes written to disks since the exporter first saw the processes",
    &["groupname"],
);
pub(super) const MAJOR_FAULTS: Metric = of(
    "namedprocess_namegroup_major_page_faults_total",
    Kind::Counter,
    "",
    "Page faults that waited for a disk, since the exporter first saw the processes",
    &["groupname"],
);
pub(super) const MINOR_FAULTS: Metric = of(
    "namedprocess_namegroup_minor_page_faults_total",
    Kind::Counter,
    "",
    "Page faults without a disk, since the exporter first saw the processes",
    &["groupname"],
);
pub(super) const DESCRIPTORS: Metric =
    of("namedprocess_namegroup_open_filedesc", Kind::Gauge, "", "Open file descriptors", &["groupname"]);
pub(super) const WORST_DESCRIPTOR_RATIO: Metric = of(
    "namedprocess_namegroup_worst_fd_ratio",
    Kind::Gauge,
    "ratio",
    "Open file descriptors to their limit, of the process that is closest to it",
    &["groupname"],
);
pub(super) const OLDEST_START: Metric = of(
    "namedprocess_namegroup_oldest_start_time_seconds",
    Kind::Gauge,
    "seconds",
    "Start time of the oldest of the processes, since the epoch",
    &["groupname"],
);

const fn of(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric { name, kind, unit, help, labels }
}
