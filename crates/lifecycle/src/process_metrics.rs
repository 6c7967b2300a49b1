//! `process_*`: the metrics of a process that every Prometheus client library has, under their usual names.
//!
//! Read from `/proc/self` at each scrape. The prometheus crate's own collector brings the crate procfs, which parses far more.

use std::{
    fs::{self, File},
    io::{self, Read},
};

use prometheus::{
    Counter, Gauge, IntGauge, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// The metrics, set at each scrape
struct ProcessMetrics {
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory_bytes: IntGauge,
    resident_memory_bytes: IntGauge,
    start_time_seconds: Gauge,
    threads: IntGauge,
    /// Seconds since the epoch. Read once, because a large machine's `/proc/stat` is long.
    boot_time: Option<u64>,
}

/// The numbers of `/proc/self/stat` that are metrics: `proc_pid_stat(5)`
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// User and system time, in clock ticks
    cpu_ticks: u64,
    threads: i64,
    /// After the system's boot, in clock ticks
    start_ticks: u64,
    virtual_bytes: i64,
    resident_pages: i64,
}

/// Registers all of them.
pub(crate) fn register(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(ProcessMetrics::new()?))
}

impl ProcessMetrics {
    fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu_seconds: Counter::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds")?,
            open_fds: IntGauge::new("process_open_fds", "Number of open file descriptors")?,
            max_fds: IntGauge::new("process_max_fds", "Maximum number of open file descriptors")?,
            virtual_memory_bytes: IntGauge::new("process_virtual_memory_bytes", "Virtual memory size in bytes")?,
            resident_memory_bytes: IntGauge::new("process_resident_memory_bytes", "Resident memory size in bytes")?,
            start_time_seconds: Gauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds",
            )?,
            threads: IntGauge::new("process_threads", "Number of OS threads in the process")?,
            boot_time: boot_time().ok(),
        })
    }

    fn collectors(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu_seconds,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory_bytes,
            &self.resident_memory_bytes,
            &self.start_time_seconds,
            &self.threads,
        ]
    }

    /// A value that can't be read stays as it was.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a process are far below 2^52")]
    fn update(&self) {
        let ticks = clock_ticks_per_second() as f64;
        if let Some(stat) = own_stat().ok().as_deref().and_then(Stat::parse) {
            self.cpu_seconds.reset();
            self.cpu_seconds.inc_by(stat.cpu_ticks as f64 / ticks);
            self.threads.set(stat.threads);
            self.virtual_memory_bytes.set(stat.virtual_bytes);
            self.resident_memory_bytes.set(stat.resident_pages.saturating_mul(to_gauge(page_size() as u64)));
            if let Some(boot) = self.boot_time {
                self.start_time_seconds.set(boot as f64 + stat.start_ticks as f64 / ticks);
            }
        }
        if let Ok(count) = open_descriptors() {
            self.open_fds.set(to_gauge(count));
        }
        self.max_fds.set(getrlimit(Resource::Nofile).current.map_or(i64::MAX, to_gauge));
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.collectors().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.update();
        self.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}

impl Stat {
    /// The name in parentheses may hold anything; the numbers stand after the last one.
    fn parse(line: &str) -> Option<Self> {
        let (_, numbers) = line.rsplit_once(')')?;
        let fields: Vec<_> = numbers.split_whitespace().collect();
        // The manual counts from 1, and the first field here is its third.
        let field = |number: usize| fields.get(number - 3);
        let unsigned = |number| field(number)?.parse::<u64>().ok();
        let signed = |number| field(number)?.parse::<i64>().ok();
        Some(Self {
            cpu_ticks: unsigned(14)? + unsigned(15)?,
            threads: signed(20)?,
            start_ticks: unsigned(22)?,
            virtual_bytes: to_gauge(unsigned(23)?),
            resident_pages: signed(24)?,
        })
    }
}

/// The line with the numbers. It has some 300 bytes, and the kernel returns all of it to one read.
fn own_stat() -> io::Result<String> {
    let mut line = vec![0; 1024];
    let length = File::open("/proc/self/stat")?.read(&mut line)?;
    line.truncate(length);
    String::from_utf8(line).map_err(io::Error::other)
}

/// Since Linux 6.2 the size of the directory is the number of descriptors; before that it is 0.
fn open_descriptors() -> io::Result<u64> {
    let size = fs::metadata("/proc/self/fd")?.len();
    if size > 0 {
        return Ok(size);
    }
    // The listing has a descriptor of its own.
    Ok((fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1))
}

/// Seconds since the epoch
fn boot_time() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|seconds| seconds.trim().parse().ok()).ok_or_else(|| io::Error::other("no boot time"))
}

fn to_gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_stand_after_the_name() {
        let line =
            "7 (odd) S (name)) S 1 7 7 0 -1 4194560 99 0 0 0 250 50 0 0 20 0 3 0 1234 8388608 512 18446744073709551615";
        let stat =
            Stat { cpu_ticks: 300, threads: 3, start_ticks: 1234, virtual_bytes: 8_388_608, resident_pages: 512 };
        assert_eq!(Stat::parse(line), Some(stat));
        assert_eq!(Stat::parse("7 (short) S 1"), None);
    }

    #[test]
    fn the_own_numbers_are_those_of_the_kernel() {
        let whole = Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert_eq!(Stat::parse(&own_stat().unwrap()).unwrap().start_ticks, whole.start_ticks);
        // Other tests open files at the same time.
        let listed = || fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        harness::until("both counts agree while no test opens a file", || {
            let before = listed();
            let counted = open_descriptors().unwrap();
            (before == counted && counted == listed()).then_some(())
        });
    }
}
