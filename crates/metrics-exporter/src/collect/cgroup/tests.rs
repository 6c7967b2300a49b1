//! Whole containers of both versions, also with broken and missing files.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    METRICS, device,
    fixtures::{Container, Files, samples},
    memory_limit, pressure,
    systems::{VERSION_1_SAMPLES, VERSION_2, VERSION_2_SAMPLES, version_1},
    values,
};
use crate::collect::{collected::Collected, roots::Roots};

const CPU_RATIO: &str = "sidekit_metrics_exporter_cpu_throttled_ratio";
const MEMORY_RATIO: &str = "sidekit_metrics_exporter_memory_working_set_limit_ratio";
const PIDS_RATIO: &str = "sidekit_metrics_exporter_pids_limit_ratio";

#[test]
fn version_2_has_cadvisors_names_and_values() {
    let mut container = Container::with(VERSION_2);
    assert_eq!(container.samples(), VERSION_2_SAMPLES);
    assert_eq!(container.unreadable(), []);
}

#[test]
fn version_1_has_cadvisors_names_and_values() {
    let mut container = version_1();
    assert_eq!(container.samples(), VERSION_1_SAMPLES);
    let pressures = ["cpu.pressure", "memory.pressure", "io.pressure"];
    assert_eq!(container.unreadable(), pressures.map(|file| (file, "not mounted")));
}

#[test]
fn the_list_of_metrics_is_all_that_is_ever_sent() {
    let listed: BTreeSet<_> = METRICS.iter().copied().flatten().map(|metric| metric.name).collect();
    let mut sent = BTreeSet::new();
    for mut container in [Container::with(VERSION_2), version_1()] {
        container.read().unwrap();
        container.pass(15);
        for family in container.read().unwrap().families {
            sent.insert(family.metric.name);
            for sample in &family.samples {
                let labels: Vec<_> = sample.labels.pairs().iter().map(|(name, _)| *name).collect();
                assert_eq!(labels, family.metric.labels, "{}", family.metric.name);
            }
        }
    }
    assert_eq!(sent, listed);
}

#[test]
fn the_throttled_share_is_that_of_the_time_between_scrapes() {
    let mut container = Container::with(VERSION_2);
    assert_eq!(container.sample(CPU_RATIO), None);
    container.pass(15);
    let stat = |periods, throttled| format!("nr_periods {periods}\nnr_throttled {throttled}\n");
    container.write("sys/fs/cgroup/cpu.stat", stat(1350, 345));
    assert_eq!(container.sample(CPU_RATIO), Some(0.3));
    // Without a quota nothing is throttled, and cAdvisor has no such counters either.
    container.write("sys/fs/cgroup/cpu.max", "max 100000\n");
    container.pass(15);
    let page = container.samples().join("\n");
    assert!(!page.contains("throttled") && !page.contains("cfs") && !page.contains("quota"), "{page}");
    assert!(page.contains("container_spec_cpu_period 100000"), "{page}");
}

#[test]
fn no_limit_is_no_ratio_and_a_zero_as_cadvisor_has_it() {
    let mut container = Container::with(VERSION_2);
    container.write("sys/fs/cgroup/memory.max", "max\n");
    container.write("sys/fs/cgroup/pids.max", "max\n");
    assert_eq!(container.sample("container_spec_memory_limit_bytes"), Some(0.0));
    assert_eq!(container.sample("container_threads_max"), Some(0.0));
    assert_eq!([MEMORY_RATIO, PIDS_RATIO].map(|ratio| container.sample(ratio)), [None, None]);
    assert_eq!(memory_limit(&Roots::under(container.root())), None);
}

#[test]
fn the_smallest_visible_limit_counts() {
    let mut container = Container::with(&[
        ("proc/self/cgroup", "0::/kubepods/pod1/app\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"),
        ("sys/fs/cgroup/kubepods/memory.max", "9000\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.max", "2000\n"),
        ("sys/fs/cgroup/kubepods/pod1/app/memory.max", "max\n"),
        ("sys/fs/cgroup/kubepods/pod1/app/memory.current", "600\n"),
        ("sys/fs/cgroup/kubepods/pod1/app/memory.stat", "inactive_file 100\n"),
    ]);
    assert_eq!(container.sample(MEMORY_RATIO), Some(0.25));
    container.write("sys/fs/cgroup/kubepods/pod1/app/memory.max", "1000\n");
    assert_eq!(container.sample(MEMORY_RATIO), Some(0.5));
    assert_eq!(memory_limit(&Roots::under(container.root())), Some(1000));
    // A file of a cgroup above that cannot be parsed counts as no limit.
    container.write("sys/fs/cgroup/kubepods/pod1/memory.max", "?\n");
    assert_eq!(container.sample(MEMORY_RATIO), Some(0.5));
    container.write("sys/fs/cgroup/kubepods/pod1/app/memory.max", "?\n");
    assert_eq!(container.sample(MEMORY_RATIO), None);
}

#[test]
fn memory_that_is_inactive_as_a_whole_is_no_negative_working_set() {
    let mut container = Container::with(VERSION_2);
    container.write("sys/fs/cgroup/memory.current", "4096\n");
    assert_eq!(container.sample("container_memory_working_set_bytes"), Some(0.0));
    container.remove("sys/fs/cgroup/memory.stat");
    assert_eq!(container.sample("container_memory_working_set_bytes"), None);
    assert_eq!(container.sample("container_memory_usage_bytes"), Some(4096.0));
}

#[test]
fn a_hybrid_has_version_1_and_the_pressure_of_version_2() {
    let mut container = Container::with(&[]);
    let pressure =
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    let cgroup = "4:cpu,cpuacct:/machine.slice/a.scope\n0::/machine.slice/a.scope\n";
    let mounts = "38 26 0:38 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        28 26 0:25 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:11 - cgroup2 cgroup2 rw\n";
    container.write("proc/self/cgroup", cgroup);
    container.write("proc/self/mountinfo", mounts);
    container.write("sys/fs/cgroup/cpu,cpuacct/machine.slice/a.scope/cpuacct.usage", "1500000000\n");
    for name in ["cgroup.type", "cpu.pressure", "memory.pressure", "io.pressure"] {
        container.write(&format!("sys/fs/cgroup/unified/machine.slice/a.scope/{name}"), pressure);
    }
    assert_eq!(container.sample("container_cpu_usage_seconds_total"), Some(1.5));
    assert_eq!(container.sample("container_pressure_io_waiting_seconds_total"), Some(1.0));

    // A container with cgroups of version 1 only is in the root of the unified hierarchy, whose pressure is the machine's.
    container.write("proc/self/cgroup", cgroup.replace("0::/machine.slice/a.scope", "0::/"));
    for name in ["cpu.pressure", "memory.pressure", "io.pressure"] {
        container.write(&format!("sys/fs/cgroup/unified/{name}"), pressure);
    }
    assert_eq!(container.sample("container_pressure_io_waiting_seconds_total"), None);
    assert!(container.unreadable().contains(&("io.pressure", "of the whole machine")));
}

#[test]
fn a_controller_of_version_1_without_a_mount_is_named() {
    let mut container = version_1();
    let memory = "31 719 0:31 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    container.write("proc/self/mountinfo", memory);
    let unreadable = container.unreadable();
    for name in ["cpu", "cpuacct", "blkio", "pids"] {
        assert!(unreadable.contains(&(name, "not mounted")), "{unreadable:?}");
    }
    assert_eq!(container.sample("container_memory_rss"), Some(1_073_152.0));
}

#[test]
fn a_path_of_the_host_leads_to_the_root_of_the_mount() {
    let mut container = Container::with(VERSION_2);
    container.write("proc/self/cgroup", "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n");
    assert_eq!(container.samples(), VERSION_2_SAMPLES);
}

#[test]
fn without_any_cgroup_the_collector_fails_with_a_reason() {
    let fault = |files: Files| Container::with(files).read().unwrap_err();
    let none = fault(&[]);
    assert_eq!((none.file(), none.reason()), ("proc/self/cgroup", "not found"));
    let no_mounts = fault(&[("proc/self/cgroup", "0::/\n")]);
    assert_eq!((no_mounts.file(), no_mounts.reason()), ("proc/self/mountinfo", "not found"));
    for mountinfo in ["", "1288 1287 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"] {
        let empty = fault(&[("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", mountinfo)]);
        assert_eq!((empty.file(), empty.reason()), ("sys/fs/cgroup", "not found"));
    }
}

#[test]
fn a_broken_file_costs_its_own_series_only() {
    let long = vec![b'7'; 70_000];
    let contents: [(&[u8], &str); 8] = [
        (b"", "malformed"),
        (b"\n", "malformed"),
        (b"x", "malformed"),
        (b"-7\n", "malformed"),
        (b"18446744073709551616\n", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"some\nnr_periods\nusage_usec -1\n8:0\n= :\n", "malformed"),
        (&long, "too long"),
    ];
    let systems: [fn() -> Container; 2] = [|| Container::with(VERSION_2), version_1];
    for system in systems {
        let mut container = system();
        let whole = container.read().unwrap();
        for file in container.files_below("sys/fs/cgroup") {
            let before = container.content(&file);
            for (content, reason) in contents {
                container.write(&file, content);
                check_damage(&whole, &container.read().unwrap(), &file, &[reason, "missing"]);
            }
            container.remove(&file);
            check_damage(&whole, &container.read().unwrap(), &file, &["not found"]);
            container.write(&file, before);
        }
    }
}

/// Checks that the remaining samples are unchanged, and that the lost ones have a reason.
fn check_damage(whole: &Collected, damaged: &Collected, file: &str, reasons: &[&str]) {
    let (all, left) = (samples(whole), samples(damaged));
    assert!(left.iter().all(|sample| all.contains(sample)), "{file}: {left:?}");
    let noted: Vec<_> = damaged.unreadable.iter().filter(|place| !whole.unreadable.contains(place)).collect();
    let name = file.rsplit('/').next().unwrap();
    for place in &noted {
        assert!(place.file.starts_with(name) && reasons.contains(&place.reason), "{file}: {place:?}");
    }
    // A container without I/O has an empty file; cgroup.type has nothing to say.
    let may_be_empty = ["io.stat", "cgroup.type"].contains(&name) || name.starts_with("blkio");
    assert!(may_be_empty || !noted.is_empty(), "{file}");
    assert!(may_be_empty || left.len() < all.len(), "{file}");
}

/// Characters and words that the kernel's files are made of, in any order
const TEXT: &str =
    "([0-9]{1,22}|[ :=/,\n\\-\\\\]|max|some|full|total=|cgroup2?|memory|rbytes=|Read|Total|\\.\\.|\\PC)*";

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in TEXT) {
        super::parse_as_each_file(&text);
    }

    #[test]
    fn what_the_kernel_writes_is_read(count: u64, other: u64, device: (u32, u32)) {
        prop_assert_eq!(values::number(&format!("{count}\n")), Ok(count));
        prop_assert_eq!(values::keyed(&format!("a {other}\nkey {count}\n"), ["key"]), [Ok(count)]);
        let pressure = pressure::pressure(&format!("some avg10=0.00 total={count}\nfull avg10=0.00 total={other}\n"));
        prop_assert_eq!((pressure.some, pressure.full), (Ok(count), Ok(other)));
        let (major, minor) = device;
        let io = device::io_stat(&format!("{major}:{minor} rbytes={count} wbytes={other}\n"), &["wbytes"]).unwrap();
        let blkio = device::blkio(&format!("{major}:{minor} Read {count}\n{major}:{minor} Write {other}\n"), &["Write"]).unwrap();
        for entry in [io[0], blkio[0]] {
            prop_assert_eq!((entry.device.major, entry.device.minor, entry.value), (major, minor, other));
        }
    }
}
