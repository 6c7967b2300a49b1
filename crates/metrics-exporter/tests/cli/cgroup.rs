//! The own cgroup on the page, from files below another root.

use std::{fs, path::Path};

use harness::http;

use crate::support::{Exporter, exporter, has, value};

const MEMORY_RATIO: &str = "sidekit_metrics_exporter_memory_working_set_limit_ratio";

fn write(root: &Path, file: &str, content: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn start(root: &Path) -> Exporter {
    Exporter::start_command(&mut exporter(&["--collect", "cgroup", "--root", root.to_str().unwrap()]))
}

fn unreadable(file: &str, reason: &str) -> String {
    format!("sidekit_metrics_exporter_collector_unreadable{{collector=\"cgroup\",file=\"{file}\",reason=\"{reason}\"}}")
}

#[test]
fn a_container_is_on_the_page_with_the_reasons_for_gaps() {
    let root = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| write(root.path(), name, content);
    file("proc/self/cgroup", "0::/\n");
    file("proc/self/mountinfo", "1288 1287 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    file("sys/fs/cgroup/memory.current", "3000\n");
    file("sys/fs/cgroup/memory.stat", "anon 1000\ninactive_file 500\n");
    file("sys/fs/cgroup/memory.max", "10000\n");
    file("sys/fs/cgroup/memory.events", "max 3\n");
    file("sys/fs/cgroup/cpu.stat", "usage_usec 1500000\n");
    let exporter = start(root.path());
    let page = exporter.page();
    for (series, wanted) in [
        ("container_memory_working_set_bytes", 2500.0),
        ("container_cpu_usage_seconds_total{cpu=\"total\"}", 1.5),
        ("container_spec_memory_limit_bytes", 10_000.0),
        (MEMORY_RATIO, 0.25),
        ("sidekit_metrics_exporter_collector_success{collector=\"cgroup\"}", 1.0),
        (&unreadable("cpu.pressure", "not found"), 1.0),
        (&unreadable("memory.stat kernel", "missing"), 1.0),
    ] {
        assert!((value(&page, series) - wanted).abs() < 1e-9, "{series}: {page}");
    }
    assert!(!has(&page, "container_memory_kernel_usage") && !has(&page, "container_threads"), "{page}");

    // No name changes in OpenMetrics.
    let request =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n";
    let open = http::raw(exporter.address, request).body;
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert!((value(&open, "container_memory_failcnt") - 3.0).abs() < 1e-9, "{open}");

    file("sys/fs/cgroup/memory.max", "max\n");
    let page = exporter.page();
    assert!(has(&page, "container_spec_memory_limit_bytes") && !has(&page, MEMORY_RATIO), "{page}");
}

#[test]
fn without_a_cgroup_the_collector_has_no_success_and_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let mut exporter = start(root.path());
    let page = exporter.page();
    assert!(value(&page, "sidekit_metrics_exporter_collector_success{collector=\"cgroup\"}").abs() < 1e-9, "{page}");
    let line = exporter.program.wait_for_message("a collector finds nothing under --root");
    let said = ["collector", "file", "reason"].map(|name| line[name].as_str().unwrap());
    assert_eq!(said, ["cgroup", "proc/self/cgroup", "not found"]);
    assert!(has(&page, &unreadable("proc/self/cgroup", "not found")), "{page}");
}
