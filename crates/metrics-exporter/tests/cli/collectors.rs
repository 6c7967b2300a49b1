//! The exporter's collectors.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use harness::{HungMount, with_own_mounts};

use crate::support::{Exporter, HttpServer, exporter, has, text_page, value};

const COLLECTORS: [&str; 5] = ["cgroup", "network", "volumes", "processes", "textfile"];

fn success(page: &str, collector: &str) -> bool {
    value(page, &format!("sidekit_metrics_exporter_collector_success{{collector=\"{collector}\"}}")) > 0.0
}

/// The lines of one metric
fn lines<'a>(page: &'a str, metric: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.split(['{', ' ']).next() == Some(metric)).collect()
}

#[test]
fn each_collector_answers_and_says_how_long_it_took() {
    let exporter = Exporter::start_command(&mut exporter(&[]));
    let page = exporter.page();
    for collector in ["network", "volumes", "processes", "textfile"] {
        assert!(success(&page, collector), "{collector}: {page}");
    }
    for collector in COLLECTORS {
        let duration = format!("sidekit_metrics_exporter_collector_duration_seconds{{collector=\"{collector}\"}}");
        assert!((0.0..10.0).contains(&value(&page, &duration)));
    }
    let group = "namedprocess_namegroup_num_procs{groupname=\"metrics-exporter\"}";
    assert!(value(&page, group) >= 1.0);
    for metric in ["node_sockstat_sockets_used", "node_netstat_Tcp_InSegs"] {
        assert!(has(&page, metric), "{metric}");
    }
    let root = lines(&page, "node_filesystem_size_bytes").into_iter().filter(|line| line.contains("mountpoint=\"/\""));
    assert_eq!(root.count(), 1, "{page}");
}

#[test]
fn only_the_collectors_that_are_named_are_asked() {
    let exporter = Exporter::start_command(&mut exporter(&["--collect", "processes,volumes"]));
    let page = exporter.page();
    assert_eq!(lines(&page, "sidekit_metrics_exporter_collector_success").len(), 2, "{page}");
    assert!(lines(&page, "node_network_receive_bytes_total").is_empty());
    exporter.program.signal(harness::Signal::TERM);
    assert_eq!(exporter.program.end().code, Some(0));
}

#[test]
fn collectors_in_the_variable_stand_one_a_line_or_behind_commas() {
    for list in ["processes\nvolumes", "processes,volumes", "\n  processes, volumes\nprocesses\n\n"] {
        let page = Exporter::start_command(exporter(&[]).env("SIDEKIT_METRICS_EXPORTER_COLLECT", list)).page();
        let asked: Vec<_> =
            COLLECTORS.into_iter().filter(|name| page.contains(&format!("{{collector=\"{name}\"}} "))).collect();
        assert_eq!(asked, ["volumes", "processes"], "{list:?}");
    }
}

#[test]
fn an_unknown_collector_is_an_error_that_names_the_known_ones() {
    for list in ["network,netwrk", "network\nnetwrk", "network,,cgroup", ""] {
        let ended = harness::Program::start(&mut exporter(&["--collect", list])).end();
        ended.ended_with(64, "reason=usage");
        let known = "the collectors are cgroup, network, volumes, processes, textfile";
        assert!(ended.everything().contains(known), "{list:?}: {ended:?}");
    }
}

#[test]
fn textfiles_are_merged_into_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(directory.path().join(name), content).unwrap();
    write(
        "a.prom",
        "# HELP backup_seconds How long it took\n# TYPE backup_seconds gauge\nbackup_seconds{job=\"a\"} 7\n",
    );
    write("b.prom", "# HELP backup_seconds Duration\n# TYPE backup_seconds gauge\nbackup_seconds{job=\"b\"} 8\n");
    write("half.prom", "half 1\nhalf{x=\"");
    let path = directory.path().display().to_string();
    let mut exporter =
        Exporter::start_command(&mut exporter(&["--collect", "textfile", "--textfile-directory", &path]));
    let page = exporter.page();
    for job in ["a", "b"] {
        assert!(has(&page, &format!("backup_seconds{{job=\"{job}\"}}")), "{page}");
    }
    assert_eq!(page.matches("# HELP backup_seconds How long it took\n").count(), 1, "{page}");
    assert!(!page.contains("half{") && !page.contains("\nhalf "), "{page}");
    assert!(value(&page, "node_textfile_scrape_error") > 0.0);
    let fault = format!(
        "sidekit_metrics_exporter_textfile_fault{{file=\"{path}/half.prom\",reason=\"no newline at the end\"}}"
    );
    assert!(has(&page, &fault), "{page}");
    assert!(has(&page, &format!("node_textfile_mtime_seconds{{file=\"{path}/a.prom\"}}")));
    exporter.program.wait_for_line("no page of a textfile: no newline at the end");
    write("half.prom", "half 1\nhalf{x=\"y\"} 1\n");
    let page = exporter.page();
    assert!(has(&page, "half{x=\"y\"}"), "{page}");
    assert!(value(&page, "node_textfile_scrape_error") < 1.0);
    exporter.program.wait_for_line("the textfile is a page again, or gone");
}

/// Checks that each series of a text page occurs once.
fn assert_no_series_twice(page: &str) {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let mut series: Vec<_> = lines.map(|line| line.rsplit_once(' ').unwrap().0).collect();
    series.sort_unstable();
    let twice = series.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "{page}");
}

#[test]
fn textfiles_of_one_name_are_told_apart() {
    let app = HttpServer::start(|_| text_page("jobs 1\n"));
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut command = exporter(&["--collect", "textfile", "--scrape", &app.url("/#name=a.prom")]);
    for (number, directory) in directories.iter().enumerate() {
        fs::write(directory.path().join("a.prom"), format!("jobs {}\n", number + 2)).unwrap();
        // Two names that are one name as text
        for name in [b"\xfe.prom", b"\xff.prom"] {
            fs::write(directory.path().join(OsStr::from_bytes(name)), "odd 1\n").unwrap();
        }
        for _ in 0..2 {
            command.arg("--textfile-directory").arg(directory.path());
        }
    }
    let exporter = Exporter::start_command(&mut command);
    let page = exporter.page();
    assert_no_series_twice(&page);
    assert!(has(&page, "jobs{source=\"a.prom\"}") && has(&page, "jobs{source=\"a.prom-2\"}"), "{page}");
    assert_eq!((lines(&page, "jobs").len(), lines(&page, "odd").len()), (3, 4), "{page}");
}

#[test]
fn a_small_cap_loses_no_series_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let series: Vec<_> = (0..100).map(|number| format!("x{{number=\"{number}\"}} 1\n")).collect();
    fs::write(directory.path().join("x.prom"), series.concat()).unwrap();
    let path = directory.path().display().to_string();
    let arguments = ["--collect", "textfile", "--textfile-directory", &path, "--max-source-series", "2"];
    let exporter = Exporter::start_command(&mut exporter(&arguments));
    let page = exporter.page();
    assert_eq!(lines(&page, "x").len(), 2, "{page}");
    let overflow = "sidekit_metrics_exporter_overflow_series{limit=\"source_limit\",metric=\"x\",source=\"x.prom\"}";
    assert!(value(&page, overflow) > 97.0);
    assert!(has(&page, "process_start_time_seconds{source=\"metrics-exporter\"}"), "{page}");
}

#[test]
fn a_textfile_that_is_no_page_is_named_and_costs_itself_only() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(directory.path().join(name), content).unwrap();
    write("bad.prom", "backup_seconds 1\nbackup_seconds{\n");
    // More series than a source over its cap may have
    let many: Vec<_> = (0..50).map(|nth| format!("many{{nth=\"{nth}\"}} 1\n")).collect();
    write("many.prom", &many.concat());
    write("twice.prom", "twice 1\ntwice 2\n");
    let path = directory.path().display().to_string();
    let arguments = ["--collect", "textfile", "--textfile-directory", &path, "--max-source-series", "10"];
    let mut exporter = Exporter::start_command(&mut exporter(&arguments));
    let page = exporter.page();
    assert!(value(&page, "node_textfile_scrape_error") > 0.0);
    assert_eq!((lines(&page, "many").len(), lines(&page, "twice").len()), (10, 1), "{page}");
    let repeated = "sidekit_metrics_exporter_source_left_out_series{reason=\"invalid_series\",source=\"twice.prom\"}";
    assert!((value(&page, repeated) - 1.0).abs() < 0.1, "{page}");
    let merge = exporter.get("/debug/merge");
    let fault = format!("{path}/bad.prom: no page: malformed: line 2: ");
    for known in [&fault, "twice: repeated series", "many.prom: 10 of 50 series on the page", "nothing\n"] {
        assert!(merge.contains(known), "{known}\n{merge}");
    }
    exporter.program.wait_for_line("no page of a textfile: malformed: line 2: ");
}

mod as_root {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_volume_whose_server_is_gone_costs_its_own_series_only() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            let hung = folder.path().join("hung");
            let mount = HungMount::new(&hung);
            let exporter = Exporter::start_command(&mut exporter(&["--collect", "network,volumes"]));
            let error = |page: &str| {
                let line = format!("mountpoint=\"{}\"}} 1", hung.display());
                lines(page, "node_filesystem_device_error").iter().any(|error| error.ends_with(&line))
            };
            let pages: Vec<_> = (0..20).map(|_| exporter.page()).collect();
            // All scrapes after the first one are answered at once.
            let begin = Instant::now();
            let last = exporter.page();
            assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
            assert!(pages.iter().chain([&last]).all(|page| error(page) && success(page, "volumes")), "{last}");
            assert!(lines(&last, "node_filesystem_size_bytes").len() > 1);
            let (_, threads) = exporter.program.files_and_threads();
            assert!(threads < 20, "{threads} threads");
            exporter.program.signal(harness::Signal::TERM);
            assert_eq!(exporter.program.end().code, Some(0));
            drop(mount);
        });
    }

    #[test]
    fn a_directory_of_textfiles_that_hangs_costs_its_own_pages_only() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            let hung = folder.path().join("hung");
            let mount = HungMount::new(&hung);
            let hung = hung.display().to_string();
            let arguments = ["--collect", "network,textfile", "--textfile-directory", &hung];
            let exporter = Exporter::start_command(&mut exporter(&arguments));
            let page = exporter.page();
            assert!(success(&page, "network") && !success(&page, "textfile"), "{page}");
            let begin = Instant::now();
            let page = exporter.page();
            assert!(begin.elapsed() < Duration::from_secs(1));
            let unreadable = lines(&page, "sidekit_metrics_exporter_collector_unreadable");
            assert!(unreadable[0].contains("has not answered an earlier scrape"), "{page}");
            exporter.program.signal(harness::Signal::TERM);
            assert_eq!(exporter.program.end().code, Some(0));
            drop(mount);
        });
    }
}
