//! Cgroups of the running kernel, which these tests create, with a load in them.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use harness::{Signal, send, until};

use super::{
    Cgroup,
    directory::{Directory, buffer},
    fixtures::value,
    flaw::Flaw,
};
use crate::collect::{kept_file::Extent, roots::Roots};

const MOUNT: &str = "/sys/fs/cgroup";

/// A cgroup in each of these hierarchies, removed on drop
struct Made {
    name: String,
    hierarchies: &'static [&'static str],
}

impl Made {
    /// Needs a system with hierarchies of version 1, each at its usual place.
    fn new(test: &str, hierarchies: &'static [&'static str]) -> Self {
        let made = Self { name: format!("sidekit-{test}-{}", process::id()), hierarchies };
        for hierarchy in hierarchies {
            let folder = made.folder(hierarchy);
            fs::create_dir(&folder).unwrap_or_else(|error| panic!("this test needs {}: {error}", folder.display()));
        }
        made
    }

    fn folder(&self, hierarchy: &str) -> PathBuf {
        Path::new(MOUNT).join(hierarchy).join(&self.name)
    }

    fn write(&self, hierarchy: &str, file: &str, content: &str) {
        fs::write(self.folder(hierarchy).join(file), content).unwrap();
    }

    /// The number in a file, or in the line with this key
    fn number(&self, hierarchy: &str, file: &str, key: &str) -> f64 {
        let text = fs::read_to_string(self.folder(hierarchy).join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_start_matches([' ', '=']).parse().unwrap()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The kernel takes a process out of its cgroup a moment after the process was reaped.
        for hierarchy in self.hierarchies {
            let folder = self.folder(hierarchy);
            until("the cgroup is empty", || (fs::remove_dir(&folder).is_ok() || !folder.exists()).then_some(()));
        }
    }
}

/// A process that copies 8 MiB again and again, from the first line of its input on
struct Load(Child);

impl Load {
    fn start() -> Self {
        let script = "read go; exec dd if=/dev/zero of=/dev/null bs=8M";
        Self(Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    /// A directory like `/proc`, in which `self` is this process
    fn proc(&self) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        symlink(format!("/proc/{}", self.0.id()), proc.path().join("self")).unwrap();
        proc
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The values of the kernel's files, by the names of the collector's metrics
fn kernel(made: &Made) -> Vec<(&'static str, f64)> {
    let memory = |file| made.number("memory", file, "");
    let stat = |key| made.number("memory", "memory.stat", key);
    let cpu = |key| made.number("cpu", "cpu.stat", key);
    let usage = memory("memory.usage_in_bytes");
    let working_set = usage - stat("total_inactive_file ");
    let pressure = |key| {
        let text = fs::read_to_string(made.folder("unified").join("cpu.pressure")).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.rsplit_once('=').unwrap().1.parse::<f64>().unwrap() / 1e6
    };
    vec![
        ("container_cpu_usage_seconds_total", made.number("cpuacct", "cpuacct.usage", "") / 1e9),
        ("container_cpu_user_seconds_total", made.number("cpuacct", "cpuacct.stat", "user") / 100.0),
        ("container_cpu_system_seconds_total", made.number("cpuacct", "cpuacct.stat", "system") / 100.0),
        ("container_cpu_cfs_periods_total", cpu("nr_periods")),
        ("container_cpu_cfs_throttled_periods_total", cpu("nr_throttled")),
        ("container_cpu_cfs_throttled_seconds_total", cpu("throttled_time") / 1e9),
        ("container_spec_cpu_quota", 20_000.0),
        ("container_spec_cpu_period", 100_000.0),
        ("container_memory_usage_bytes", usage),
        ("container_memory_working_set_bytes", working_set),
        ("container_memory_rss", stat("total_rss ")),
        ("container_memory_max_usage_bytes", memory("memory.max_usage_in_bytes")),
        ("container_memory_failcnt", memory("memory.failcnt")),
        ("container_spec_memory_limit_bytes", 33_554_432.0),
        ("sidekit_metrics_exporter_memory_working_set_limit_ratio", working_set / 33_554_432.0),
        ("container_oom_events_total", made.number("memory", "memory.oom_control", "oom_kill ")),
        ("container_threads", 1.0),
        ("container_processes", 1.0),
        ("container_threads_max", 50.0),
        ("sidekit_metrics_exporter_pids_limit_ratio", 0.02),
        ("container_pressure_cpu_waiting_seconds_total", pressure("some")),
        ("container_pressure_cpu_stalled_seconds_total", pressure("full")),
    ]
}

#[test]
fn a_cgroup_under_load_is_what_the_kernel_says() {
    let made = Made::new("load", &["cpu", "cpuacct", "memory", "pids", "blkio", "unified"]);
    made.write("cpu", "cpu.cfs_quota_us", "20000");
    made.write("memory", "memory.limit_in_bytes", "33554432");
    made.write("pids", "pids.max", "50");
    let mut load = Load::start();
    for hierarchy in made.hierarchies {
        made.write(hierarchy, "cgroup.procs", &load.0.id().to_string());
    }
    let proc = load.proc();
    let mut cgroup = Cgroup::new(Roots { proc: proc.path().to_owned(), sys: "/sys".into() });
    let clock = Instant::now();

    load.go();
    until("dd runs", || (made.number("cpu", "cpu.stat", "nr_throttled") > 0.0).then_some(()));
    let first = cgroup.read(clock).unwrap();
    assert_eq!(value(&first, "sidekit_metrics_exporter_cpu_throttled_ratio"), None);
    let counters = ["container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"];
    let before = counters.map(|name| value(&first, name).unwrap());
    until("it was throttled often", || {
        (made.number("cpu", "cpu.stat", "nr_throttled") > before[1] + 5.0).then_some(())
    });

    // The kernel's counts stop changing soon after the process is stopped.
    send(load.0.id(), Signal::STOP);
    let (seen, wanted) = until("the kernel's counts hold still", || {
        let wanted = kernel(&made);
        let seen = cgroup.read(clock + Duration::from_secs(15)).unwrap();
        (wanted == kernel(&made)).then_some((seen, wanted))
    });
    for (name, wanted) in wanted {
        assert_eq!(value(&seen, name), Some(wanted), "{name}");
    }
    let after = counters.map(|name| value(&seen, name).unwrap());
    let share = (after[1] - before[1]) / (after[0] - before[0]);
    assert_eq!(value(&seen, "sidekit_metrics_exporter_cpu_throttled_ratio"), Some(share));
    assert!(share > 0.1, "{share}");
    assert!(value(&seen, "container_memory_rss").unwrap() > 8e6);
    assert_eq!(seen.unreadable, []);
}

#[test]
fn a_cgroup_that_is_removed_while_it_is_read_has_a_reason() {
    let folder = Path::new(MOUNT).join("memory").join(format!("sidekit-removed-{}", process::id()));
    for _ in 0..100 {
        fs::create_dir(&folder).unwrap();
        let directory = Directory::open(&folder).unwrap();
        let reader = thread::spawn(move || {
            let mut buffer = buffer();
            loop {
                if let Err(flaw) = directory.read("memory.stat", Extent::Whole, &mut buffer) {
                    return flaw;
                }
            }
        });
        fs::remove_dir(&folder).unwrap();
        let flaw = reader.join().unwrap();
        assert!([Flaw::NOT_FOUND, Flaw("removed")].contains(&flaw), "{flaw:?}");
    }
}

#[test]
fn pressure_that_is_switched_off_is_not_found_and_a_threaded_cgroup_lists_no_processes() {
    let made = Made::new("threaded", &["unified"]);
    let mut buffer = buffer();
    let directory = Directory::open(&made.folder("unified")).unwrap();
    assert!(directory.read("cpu.pressure", Extent::Whole, &mut buffer).unwrap().starts_with("some "));
    made.write("unified", "cgroup.pressure", "0");
    assert_eq!(directory.read("cpu.pressure", Extent::Whole, &mut buffer), Err(Flaw::NOT_FOUND));

    let threads = made.folder("unified").join("threads");
    fs::create_dir(&threads).unwrap();
    fs::write(threads.join("cgroup.type"), "threaded").unwrap();
    let listed = Directory::open(&threads).unwrap().read("cgroup.procs", Extent::List, &mut buffer).map(str::to_owned);
    fs::remove_dir(&threads).unwrap();
    assert_eq!(listed, Err(Flaw("not supported")));
}
