//! Processes of procfs, and of directories that tests write.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::*;

/// The value of a group's metric with this second label
fn value(collected: &Collected, name: &str, group: &str, second: &str) -> Option<f64> {
    let family = collected.families.iter().find(|family| family.metric.name == name)?;
    let sample = family.samples.iter().find(|sample| {
        let values: Vec<_> = sample.labels.pairs().iter().map(|(_, value)| &**value).collect();
        values.contains(&group) && (second.is_empty() || values.contains(&second))
    });
    sample.map(|sample| sample.value)
}

/// A root of a system that has run for 50 s
fn root() -> (TempDir, Roots) {
    let root = tempfile::tempdir().unwrap();
    let roots = Roots::under(root.path());
    fs::create_dir(&roots.proc).unwrap();
    fs::write(roots.proc.join("stat"), "cpu  1 2 3\nbtime 1764204000\n").unwrap();
    fs::write(roots.proc.join("uptime"), "50.00 100.00\n").unwrap();
    fs::create_dir(roots.proc.join("sys")).unwrap();
    (root, roots)
}

/// A process with its files
fn add_process(roots: &Roots, id: u32, comm: &str, start_ticks: u64) {
    let folder = roots.proc.join(id.to_string());
    fs::create_dir_all(folder.join("fd")).unwrap();
    for descriptor in 0..3 {
        symlink("/dev/null", folder.join("fd").join(descriptor.to_string())).unwrap();
    }
    let numbers =
        format!("S 1 1 1 0 -1 4194304 10 0 0 0 200 100 0 0 20 0 2 0 {start_ticks} 4096 3 18446744073709551615");
    fs::write(folder.join("stat"), format!("{id} ({comm}) {numbers}\n")).unwrap();
    fs::write(folder.join("status"), "VmSwap:\t       8 kB\n").unwrap();
    fs::write(folder.join("io"), "read_bytes: 4096\nwrite_bytes: 8192\n").unwrap();
    fs::write(
        folder.join("limits"),
        "Max open files            12                   24                   files     \n",
    )
    .unwrap();
    fs::write(folder.join("cmdline"), format!("/usr/bin/{comm}\0--flag\0")).unwrap();
}

#[test]
fn processes_of_one_name_are_one_group() {
    let (_root, roots) = root();
    add_process(&roots, 7, "my app", 1000);
    add_process(&roots, 8, "my app", 2000);
    add_process(&roots, 9, "other", 2000);
    let mut processes = Processes::default();
    processes.read(&roots).unwrap();
    add_process(&roots, 10, "my app", 6000);
    let collected = processes.read(&roots).unwrap();
    let of_app = |name, second| value(&collected, name, "my app", second).unwrap();
    let expected = [
        (of_app("namedprocess_namegroup_num_procs", ""), 3.0),
        (of_app("namedprocess_namegroup_num_threads", ""), 6.0),
        (of_app("namedprocess_namegroup_cpu_seconds_total", "user"), 200.0 / tick_rate()),
        (of_app("namedprocess_namegroup_cpu_seconds_total", "system"), 100.0 / tick_rate()),
        (of_app("namedprocess_namegroup_write_bytes_total", ""), 8192.0),
        (of_app("namedprocess_namegroup_memory_bytes", "swapped"), 3.0 * 8192.0),
        (of_app("namedprocess_namegroup_open_filedesc", ""), 9.0),
        (of_app("namedprocess_namegroup_worst_fd_ratio", ""), 0.25),
        (of_app("namedprocess_namegroup_oldest_start_time_seconds", ""), 1_764_204_000.0 + 1000.0 / tick_rate()),
    ];
    for (index, (is, wanted)) in expected.into_iter().enumerate() {
        assert!((is - wanted).abs() < 1e-6, "{index}: {is} is not {wanted}");
    }
    assert_eq!(collected.unreadable, []);
}

#[test]
fn without_swap_nothing_is_swapped_and_no_file_is_read() {
    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    let (_root, roots) = root();
    add_process(&roots, 7, "app", 1000);
    let swapped = |swaps: &str| {
        fs::write(roots.proc.join("swaps"), swaps).unwrap();
        let collected = Processes::default().read(&roots).unwrap();
        value(&collected, "namedprocess_namegroup_memory_bytes", "app", "swapped")
    };
    assert_eq!(swapped(&format!("{HEAD}/dev/sda2  partition  1000  0  -2\n")), Some(8192.0));
    assert_eq!(swapped(HEAD), Some(0.0));
    fs::remove_file(roots.proc.join("7/status")).unwrap();
    assert_eq!(swapped(HEAD), Some(0.0));
    assert_eq!(swapped(""), None, "a system that says nothing of swap may have some");
}

#[expect(clippy::cast_precision_loss, reason = "a hundred")]
fn tick_rate() -> f64 {
    clock_ticks_per_second() as f64
}

#[test]
fn a_process_that_ends_in_between_costs_only_itself() {
    let (_root, roots) = root();
    add_process(&roots, 7, "app", 1000);
    // Process 8 ended after the listing, and process 10 after its first file was read.
    fs::create_dir(roots.proc.join("8")).unwrap();
    add_process(&roots, 9, "app", 1000);
    fs::remove_file(roots.proc.join("9/status")).unwrap();
    add_process(&roots, 10, "app", 1000);
    fs::write(roots.proc.join("10/stat"), "10 (app) S 1").unwrap();
    let collected = Processes::default().read(&roots).unwrap();
    assert_eq!(value(&collected, "namedprocess_namegroup_num_procs", "app", ""), Some(1.0));
    let [unreadable] = &collected.unreadable[..] else { panic!("{:?}", collected.unreadable) };
    assert_eq!((unreadable.file, unreadable.reason), ("proc/PID/stat", "malformed"));
}

#[test]
fn processes_have_a_bound() {
    let (_root, roots) = root();
    for id in 1..=u32::try_from(PROCESS_LIMIT + 1).unwrap() {
        fs::create_dir(roots.proc.join(id.to_string())).unwrap();
    }
    add_process(&roots, 1, "first", 1000);
    add_process(&roots, u32::try_from(PROCESS_LIMIT + 1).unwrap(), "last", 1000);
    let collected = Processes::default().read(&roots).unwrap();
    assert_eq!(value(&collected, "namedprocess_namegroup_num_procs", "first", ""), Some(1.0));
    assert_eq!(value(&collected, "namedprocess_namegroup_num_procs", "last", ""), None);
    assert_eq!(collected.unreadable[0].reason, "too many processes");
}

/// A process with a unique name, killed on drop
struct Sleeper {
    child: Child,
    /// The directory of its program
    _folder: TempDir,
}

impl Sleeper {
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(name);
        fs::copy("/bin/sleep", &program).unwrap();
        let child = Command::new(program).arg("1000").stdin(Stdio::null()).spawn().unwrap();
        Self { child, _folder: folder }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_kernel_shows_a_process_with_its_whole_name() {
    let name = format!("a name of its own {}", std::process::id());
    let sleeper = Sleeper::start(&name);
    let roots = Roots::under(Path::new("/"));
    let mut processes = Processes::default();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", sleeper.child.id())).unwrap().count();
    // The name shows once the new program has replaced its parent's copy. Its loader closes some more files.
    let collected = harness::until("the sleeper shows with its descriptors", || {
        let collected = processes.read(&roots).unwrap();
        let seen = value(&collected, "namedprocess_namegroup_open_filedesc", &name, "");
        (seen == Some(f64::from(u32::try_from(descriptors()).unwrap()))).then_some(collected)
    });
    assert_eq!(value(&collected, "namedprocess_namegroup_num_procs", &name, ""), Some(1.0));
    let of_it = |metric| value(&collected, metric, &name, "");
    assert_eq!(of_it("namedprocess_namegroup_num_threads"), Some(1.0));
    assert!(of_it("namedprocess_namegroup_worst_fd_ratio").unwrap() > 0.0);
    let started = of_it("namedprocess_namegroup_oldest_start_time_seconds").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - started).abs() < 120.0, "{started} is not {now}");
    let resident = value(&collected, "namedprocess_namegroup_memory_bytes", &name, "resident").unwrap();
    assert!(resident > 0.0);
    drop(sleeper);
    let after = processes.read(&roots).unwrap();
    assert_eq!(value(&after, "namedprocess_namegroup_num_procs", &name, ""), Some(0.0));
}

#[test]
fn processes_beyond_the_limit_do_not_count_again_when_there_is_room() {
    let (_root, roots) = root();
    let mut processes = Processes::default();
    processes.read(&roots).unwrap();
    add_process(&roots, 9_000_000, "app", 6000);
    let name = "namedprocess_namegroup_cpu_seconds_total";
    let before = value(&processes.read(&roots).unwrap(), name, "app", "user");
    assert_eq!(before, Some(200.0 / tick_rate()));
    let others: Vec<_> = (1..=u32::try_from(PROCESS_LIMIT).unwrap()).collect();
    for id in &others {
        fs::create_dir(roots.proc.join(id.to_string())).unwrap();
    }
    let cut_off = processes.read(&roots).unwrap();
    assert_eq!(value(&cut_off, "namedprocess_namegroup_num_procs", "app", ""), Some(0.0));
    for id in others {
        fs::remove_dir(roots.proc.join(id.to_string())).unwrap();
    }
    assert_eq!(value(&processes.read(&roots).unwrap(), name, "app", "user"), before);
}

mod as_root {
    use super::*;

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let flags = ["--pid", "--fork", "--kill-child", "--mount-proc"];
        harness::with_own_namespaces(
            &flags,
            || (),
            || {
                let roots = Roots::under(Path::new("/"));
                let mut processes = Processes::default();
                let mut shows = |name: &str| {
                    harness::until("the process shows", || {
                        let collected = processes.read(&roots).unwrap();
                        let processes = |name| value(&collected, "namedprocess_namegroup_num_procs", name, "");
                        (processes(name) == Some(1.0)).then(|| processes("first"))
                    })
                };
                let first = Sleeper::start("first");
                let id = first.child.id();
                assert_eq!(shows("first"), Some(1.0));
                drop(first);
                fs::write("/proc/sys/kernel/ns_last_pid", (id - 1).to_string()).unwrap();
                let second = Sleeper::start("second");
                assert_eq!(second.child.id(), id);
                assert_eq!(shows("second"), Some(0.0));
            },
        );
    }
}
