//! The own cgroup on a Linux that boots with cgroup version 2: each metric is what the kernel's file says.

use std::{collections::HashMap, ops::RangeInclusive};

use e2e::{
    directory::Directory,
    process::{binary, command, output, target_directory},
};

/// The console of one boot, in parts
struct Machine(HashMap<String, String>);

/// Where the kernel has a value: the file, the key of its line or nothing, and the name before `=` or the column
type Place = (&'static str, &'static str, &'static str);

impl Machine {
    fn boot() -> Self {
        let work = Directory::new();
        let mut boot = command("timeout");
        boot.arg("600").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/machine/boot"));
        boot.arg(binary("metrics-exporter")).arg(work.path()).env("CARGO_TARGET_DIR", target_directory());
        let console = output(boot).replace('\r', "");
        let mut parts: HashMap<String, String> = HashMap::new();
        let mut part = String::new();
        for line in console.lines() {
            if let Some(name) = line.strip_prefix("=== ") {
                name.clone_into(&mut part);
            } else {
                let text = parts.entry(part.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
        assert!(parts.contains_key("after"), "{console}");
        Self(parts)
    }

    fn page(&self) -> &str {
        &self.0["page"]
    }

    /// The value of a series
    fn said(&self, series: &str) -> f64 {
        let line = self.page().lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {}", self.page())).parse().unwrap()
    }

    /// From what the kernel said before to what it said after
    fn kernel(&self, place: Place) -> RangeInclusive<f64> {
        let [before, after] = ["before", "after"].map(|part| number(&self.0[part], place));
        before.min(after)..=before.max(after)
    }
}

fn number(files: &str, (file, key, name): Place) -> f64 {
    let start = format!("--- {file}\n");
    let text = files.split_once(&start).unwrap_or_else(|| panic!("no {file} in {files}")).1;
    let text = text.split("--- ").next().unwrap();
    let line = text.lines().find_map(|line| if key.is_empty() { Some(line) } else { line.strip_prefix(key) });
    let line = line.unwrap_or_else(|| panic!("no {key} in {file}: {text}"));
    let word = match name {
        "" => line.split_whitespace().next(),
        "2nd" => line.split_whitespace().nth(1),
        _ => line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')),
    };
    word.unwrap().parse().unwrap()
}

const MICRO: f64 = 1e-6;
/// Bytes that the exporter itself may have taken or given back between two readings
const MOVES: f64 = 1e6;

/// Each series of the own cgroup, where the kernel has it, the unit, and what may lie between two readings
const SERIES: &[(&str, Place, f64, f64)] = &[
    ("cpu_usage_seconds_total{cpu=\"total\"}", ("cpu.stat", "usage_usec", ""), MICRO, 0.0),
    ("cpu_user_seconds_total", ("cpu.stat", "user_usec", ""), MICRO, 0.0),
    ("cpu_system_seconds_total", ("cpu.stat", "system_usec", ""), MICRO, 0.0),
    ("cpu_cfs_periods_total", ("cpu.stat", "nr_periods", ""), 1.0, 0.0),
    ("cpu_cfs_throttled_periods_total", ("cpu.stat", "nr_throttled", ""), 1.0, 0.0),
    ("cpu_cfs_throttled_seconds_total", ("cpu.stat", "throttled_usec", ""), MICRO, 0.0),
    ("cpu_cfs_burst_periods_total", ("cpu.stat", "nr_bursts", ""), 1.0, 0.0),
    ("cpu_cfs_burst_seconds_total", ("cpu.stat", "burst_usec", ""), MICRO, 0.0),
    ("spec_cpu_quota", ("cpu.max", "", ""), 1.0, 0.0),
    ("spec_cpu_period", ("cpu.max", "", "2nd"), 1.0, 0.0),
    ("memory_usage_bytes", ("memory.current", "", ""), 1.0, MOVES),
    ("memory_working_set_bytes", ("memory.current", "", ""), 1.0, MOVES),
    ("memory_max_usage_bytes", ("memory.peak", "", ""), 1.0, 0.0),
    ("memory_rss", ("memory.stat", "anon ", ""), 1.0, MOVES),
    ("memory_cache", ("memory.stat", "file ", ""), 1.0, MOVES),
    ("memory_kernel_usage", ("memory.stat", "kernel ", ""), 1.0, MOVES),
    ("memory_mapped_file", ("memory.stat", "file_mapped ", ""), 1.0, MOVES),
    ("memory_file_dirty_bytes", ("memory.stat", "file_dirty ", ""), 1.0, MOVES),
    ("memory_file_writeback_bytes", ("memory.stat", "file_writeback ", ""), 1.0, MOVES),
    ("memory_total_active_file_bytes", ("memory.stat", "active_file ", ""), 1.0, MOVES),
    ("memory_total_inactive_file_bytes", ("memory.stat", "inactive_file ", ""), 1.0, MOVES),
    ("memory_swap", ("memory.swap.current", "", ""), 1.0, 0.0),
    ("memory_failcnt", ("memory.events", "max ", ""), 1.0, 0.0),
    ("memory_events_high_total", ("memory.events", "high ", ""), 1.0, 0.0),
    ("memory_events_max_total", ("memory.events", "max ", ""), 1.0, 0.0),
    ("oom_events_total", ("memory.events", "oom_kill ", ""), 1.0, 0.0),
    ("memory_failures_total{failure_type=\"pgfault\",scope=\"container\"}", ("memory.stat", "pgfault ", ""), 1.0, 0.0),
    (
        "memory_failures_total{failure_type=\"pgmajfault\",scope=\"container\"}",
        ("memory.stat", "pgmajfault ", ""),
        1.0,
        0.0,
    ),
    ("memory_failures_total{failure_type=\"pgfault\",scope=\"hierarchy\"}", ("memory.stat", "pgfault ", ""), 1.0, 0.0),
    (
        "memory_failures_total{failure_type=\"pgmajfault\",scope=\"hierarchy\"}",
        ("memory.stat", "pgmajfault ", ""),
        1.0,
        0.0,
    ),
    ("memory_pgscan_total", ("memory.stat", "pgscan ", ""), 1.0, 0.0),
    ("memory_pgsteal_total", ("memory.stat", "pgsteal ", ""), 1.0, 0.0),
    ("memory_workingset_refault_anon_total", ("memory.stat", "workingset_refault_anon ", ""), 1.0, 0.0),
    ("memory_workingset_refault_file_total", ("memory.stat", "workingset_refault_file ", ""), 1.0, 0.0),
    ("spec_memory_limit_bytes", ("memory.max", "", ""), 1.0, 0.0),
    ("spec_memory_reservation_limit_bytes", ("memory.min", "", ""), 1.0, 0.0),
    ("fs_reads_bytes_total{device=\"/dev/vda\"}", ("io.stat", "254:0 ", "rbytes"), 1.0, 0.0),
    ("fs_reads_total{device=\"/dev/vda\"}", ("io.stat", "254:0 ", "rios"), 1.0, 0.0),
    ("fs_writes_bytes_total{device=\"/dev/vda\"}", ("io.stat", "254:0 ", "wbytes"), 1.0, 0.0),
    ("fs_writes_total{device=\"/dev/vda\"}", ("io.stat", "254:0 ", "wios"), 1.0, 0.0),
    (
        "blkio_device_usage_total{device=\"/dev/vda\",major=\"254\",minor=\"0\",operation=\"Read\"}",
        ("io.stat", "254:0 ", "rbytes"),
        1.0,
        0.0,
    ),
    (
        "blkio_device_usage_total{device=\"/dev/vda\",major=\"254\",minor=\"0\",operation=\"Write\"}",
        ("io.stat", "254:0 ", "wbytes"),
        1.0,
        0.0,
    ),
    ("pressure_cpu_waiting_seconds_total", ("cpu.pressure", "some ", "total"), MICRO, 0.0),
    ("pressure_cpu_stalled_seconds_total", ("cpu.pressure", "full ", "total"), MICRO, 0.0),
    ("pressure_memory_waiting_seconds_total", ("memory.pressure", "some ", "total"), MICRO, 0.0),
    ("pressure_memory_stalled_seconds_total", ("memory.pressure", "full ", "total"), MICRO, 0.0),
    ("pressure_io_waiting_seconds_total", ("io.pressure", "some ", "total"), MICRO, 0.0),
    ("pressure_io_stalled_seconds_total", ("io.pressure", "full ", "total"), MICRO, 0.0),
    ("threads", ("pids.current", "", ""), 1.0, 3.0),
    ("threads_max", ("pids.max", "", ""), 1.0, 0.0),
];

/// Series that no line of a file has as it is
const DERIVED: [&str; 3] =
    ["container_processes", "container_spec_cpu_shares", "container_spec_memory_swap_limit_bytes"];

#[test]
fn on_a_linux_with_cgroup_version_2_each_metric_is_what_the_kernel_says() {
    let machine = Machine::boot();
    let page = machine.page();
    assert!(page.contains("sidekit_metrics_exporter_collector_success{collector=\"cgroup\"} 1\n"), "{page}");
    assert!(!page.contains("sidekit_metrics_exporter_collector_unreadable{"), "{page}");
    for (name, place, unit, tolerance) in SERIES {
        let (said, kernel) = (machine.said(&format!("container_{name}")), machine.kernel(*place));
        // The page has fewer digits than a float.
        let tolerance = tolerance + unit / 2.0;
        let range = kernel.start() * unit - tolerance..=kernel.end() * unit + tolerance;
        assert!(range.contains(&said), "container_{name} is {said}, and the kernel says {range:?}: {:?}", machine.0);
    }
    for series in page.lines().filter(|line| line.starts_with("container_")) {
        let (series, _) = series.rsplit_once(' ').unwrap();
        let is_known = SERIES.iter().any(|(name, ..)| series.strip_prefix("container_") == Some(name));
        assert!(is_known || DERIVED.contains(&series), "{series} was not compared");
    }
    // What the load and the limits of the machine must show.
    assert!(machine.said("container_oom_events_total") >= 1.0 && machine.said("container_memory_failcnt") >= 1.0);
    assert!(machine.said("container_cpu_cfs_throttled_periods_total") > 10.0);
    assert!(machine.said("container_fs_reads_bytes_total{device=\"/dev/vda\"}") >= 40.0 * 1024.0 * 1024.0);
    let is = |series: &str, value: f64| assert!((machine.said(series) - value).abs() < 1e-6, "{series} is not {value}");
    is("container_spec_memory_limit_bytes", 33_554_432.0);
    is("sidekit_metrics_exporter_pids_limit_ratio", machine.said("container_threads") / 100.0);
    let working_set = machine.said("container_memory_working_set_bytes");
    is("sidekit_metrics_exporter_memory_working_set_limit_ratio", working_set / 33_554_432.0);
}
