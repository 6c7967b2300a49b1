//! Threads and processes; both versions have the same files (the kernel's cgroup-v1/pids.rst).

use super::{
    amounts::Amounts,
    directory::Directory,
    metrics::{PROCESSES, THREADS, THREADS_MAX},
    readings::Readings,
    values::Limit,
};

/// Reads the number of threads, their limit, and the number of processes.
pub(super) fn pids(directory: &Directory, readings: &mut Readings, amounts: &mut Amounts) {
    amounts.threads = readings.number(directory, "pids.current");
    amounts.threads_limit = readings.limit(directory, "pids.max");
    readings.put_count(&THREADS, amounts.threads);
    readings.put_count(&THREADS_MAX, amounts.threads_limit.map(Limit::or_zero));
    let processes = readings.processes(directory, "cgroup.procs");
    readings.put_count(&PROCESSES, processes);
}
