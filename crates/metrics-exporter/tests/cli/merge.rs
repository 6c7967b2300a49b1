//! Series of several sources: duplicates, rules and caps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use harness::{Signal, until};
use tempfile::TempDir;

use crate::support::{Exporter, HttpServer, Reply, exporter, has, text_page, value};

/// A source, and the switch that makes it answer
fn source(page: &'static str) -> (HttpServer, Arc<AtomicBool>) {
    let is_up = Arc::new(AtomicBool::new(true));
    let answers = is_up.clone();
    let down = || Reply::Answer(503, Vec::new(), String::new());
    let server = HttpServer::start(move |_| if answers.load(Relaxed) { text_page(page) } else { down() });
    (server, is_up)
}

#[test]
fn series_of_two_sources_keep_their_label_while_one_is_down() {
    let (one, one_is_up) = source("jobs 1\nalone 1\n");
    let (two, _) = source("jobs 2\n");
    let (one, two) = (one.url("/#name=one"), two.url("/#name=two"));
    let exporter = Exporter::start(&["--scrape", &one, "--scrape", &two]);
    let page = exporter.page();
    assert!(value(&page, "jobs{source=\"one\"}") < 1.5);
    assert!(value(&page, "jobs{source=\"two\"}") > 1.5);
    assert!(has(&page, "alone"), "{page}");
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("with the label source, because another source has the same: 1 series"), "{debug}");
    one_is_up.store(false, Relaxed);
    let page = exporter.page();
    assert!(has(&page, "jobs{source=\"two\"}") && !has(&page, "jobs") && !has(&page, "alone"), "{page}");
}

#[test]
fn a_source_that_is_gone_for_good_leaves_no_label() {
    let (one, _) = source("jobs 1\n");
    let (two, _) = source("jobs 2\n");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("sources.yaml");
    let entry = |server: &HttpServer, name| format!("- {{url: '{}', name: {name}}}\n", server.url("/"));
    std::fs::write(&file, format!("scrape:\n{}{}", entry(&one, "one"), entry(&two, "two"))).unwrap();
    let exporter = Exporter::start(&["--config", file.to_str().unwrap()]);
    assert!(has(&exporter.page(), "jobs{source=\"two\"}"));
    std::fs::write(&file, format!("scrape:\n{}", entry(&two, "two"))).unwrap();
    exporter.program.signal(Signal::HUP);
    until("the series has no label", || has(&exporter.page(), "jobs").then_some(()));
}

#[test]
fn a_refused_series_stays_refused_while_the_other_source_is_down() {
    let (one, one_is_up) = source("jobs 1\n");
    let (two, _) = source("jobs 2\nother 2\n");
    let (one, two) = (one.url("/#name=one"), two.url("/#name=two"));
    let exporter = Exporter::start(&["--on-duplicate", "refuse", "--scrape", &one, "--scrape", &two]);
    let left_out = "sidekit_metrics_exporter_source_left_out_series{reason=\"duplicate\",source=\"two\"}";
    let page = exporter.page();
    assert!(value(&page, "jobs") < 1.5 && has(&page, left_out), "{page}");
    one_is_up.store(false, Relaxed);
    let page = exporter.page();
    assert!(has(&page, "other") && !has(&page, "jobs") && has(&page, left_out), "{page}");
    assert!(exporter.get("/debug/merge").contains("jobs: duplicate, 1 series"));
}

#[test]
fn rules_of_a_source_come_before_those_of_all() {
    let (app, _) =
        source("go_threads 1\nrequests_total{id=\"1\",code=\"200\"} 5\nlost{id=\"1\"} 1\nlost{id=\"2\"} 1\n");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("sources.yaml");
    let rules = format!(
        "scrape:
- url: {}
  name: app
  metric_relabel_configs:
  - {{source_labels: [__name__], regex: 'go_.*', action: drop}}
  - {{source_labels: [code], regex: '(.)..', target_label: class, replacement: '${{1}}xx'}}
metric_relabel_configs:
- {{regex: id|code, action: labeldrop}}
- {{source_labels: [class], regex: .+, target_label: pod, replacement: p}}
",
        app.url("/metrics")
    );
    std::fs::write(&file, rules).unwrap();
    let exporter = Exporter::start(&["--config", file.to_str().unwrap()]);
    let page = exporter.page();
    assert!(has(&page, "requests_total{class=\"2xx\",pod=\"p\"}"), "{page}");
    assert!(!page.contains("go_threads"), "{page}");
    let left_out = |reason| {
        value(&page, &format!("sidekit_metrics_exporter_source_left_out_series{{reason=\"{reason}\",source=\"app\"}}"))
    };
    assert!(left_out("dropped_by_rule") > 0.0 && left_out("equal_by_rule") > 0.0);
}

#[test]
fn caps_are_counted_and_named() {
    let (large, _) = source("a{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"3\"} 1\nb 1\n");
    let (small, _) = source("c 1\n");
    let (large, small) = (large.url("/#name=large"), small.url("/#name=small"));
    let exporter = Exporter::start(&["--max-source-series", "2", "--scrape", &large, "--scrape", &small]);
    let page = exporter.page();
    assert!(has(&page, "a{x=\"2\"}") && !has(&page, "a{x=\"3\"}") && !has(&page, "b") && has(&page, "c"), "{page}");
    for metric in ["a", "b"] {
        let labels = format!("limit=\"source_limit\",metric=\"{metric}\",source=\"large\"");
        assert!(value(&page, &format!("sidekit_metrics_exporter_overflow_series{{{labels}}}")) > 0.0);
    }
    let cardinality = exporter.get("/debug/cardinality");
    assert!(cardinality.contains("         3        1  a\n"), "{cardinality}");
    assert!(cardinality.contains("         1  source_limit  b of large\n"), "{cardinality}");
}

#[test]
fn each_cap_has_a_flag_of_its_own() {
    let lines: Vec<_> = (0..300).map(|nth| format!("a{{x=\"{nth}\"}} 1\n")).collect();
    let page = lines.concat() + "b 1\n";
    let large = HttpServer::start(move |_| text_page(&page));
    let (small, _) = source("c 1\n");
    let (large, small) = (large.url("/#name=large"), small.url("/#name=small"));
    let cut = "sidekit_metrics_exporter_overflow_series{";
    // The page of --max-series has room for its own series too, so the number of those that are cut differs there.
    for (flag, most, limit, cut_of_a, has_b) in [
        ("--max-metric-series", "100", "metric_limit", Some(200.0), true),
        ("--max-source-series", "100", "source_limit", Some(200.0), false),
        ("--max-series", "200", "page_limit", None, false),
    ] {
        let exporter = Exporter::start(&[flag, most, "--scrape", &large, "--scrape", &small]);
        let page = exporter.page();
        let found = value(&page, &format!("{cut}limit=\"{limit}\",metric=\"a\",source=\"large\"}}"));
        assert!(cut_of_a.is_none_or(|wanted: f64| wanted.total_cmp(&found).is_eq()), "{flag}: {found}");
        let other_cuts = page.lines().filter(|line| line.starts_with(cut) && !line.contains(limit));
        assert_eq!(other_cuts.collect::<Vec<_>>(), [""; 0], "{flag}");
        assert!(has(&page, "b") == has_b && has(&page, "a{x=\"0\"}") && has(&page, "c"), "{flag}: {page}");
    }
    let exporter = Exporter::start(&["--max-source-size", "1KiB", "--scrape", &large, "--scrape", &small]);
    let page = exporter.page();
    assert!(has(&page, "c") && !has(&page, "b"), "{page}");
    assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"too_large\",source=\"large\"}"), "{page}");
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("too_large: its body is longer than 1024 bytes, the limit by --max-source-size"), "{debug}");
}

#[test]
fn conflicts_of_type_and_help_are_counted_and_named() {
    let (one, _) = source("# TYPE x gauge\nx 1\n# HELP y Jobs that run.\n# TYPE y gauge\ny{app=\"1\"} 1\n");
    let (two, _) = source("# TYPE x counter\nx 2\n# HELP y Jobs that wait.\n# TYPE y gauge\ny{app=\"2\"} 2\n");
    let (one, two) = (one.url("/#name=one"), two.url("/#name=two"));
    let exporter = Exporter::start(&["--scrape", &one, "--scrape", &two]);
    let page = exporter.page();
    assert!(page.contains("# TYPE x gauge\nx 1\n") && !page.contains("x 2"), "{page}");
    assert!(page.contains("# HELP y Jobs that run.\n# TYPE y gauge\ny{app=\"1\"} 1\ny{app=\"2\"} 2\n"), "{page}");
    let left_out: Vec<_> =
        page.lines().filter(|line| line.starts_with("sidekit_metrics_exporter_source_left_out_series{")).collect();
    let expected = "sidekit_metrics_exporter_source_left_out_series{reason=\"type_conflict\",source=\"two\"} 1";
    assert_eq!(left_out, [expected], "no series is lost by a help");
    let debug = exporter.get("/debug/merge");
    for line in [
        "  two: 1 of 2 series on the page\n    left out, type_conflict: 1 series\n",
        "  two:    x: type_conflict, 1 series, such as counter, not gauge\n",
        "  two:    y: help_conflict, 1 series, such as \"Jobs that wait.\", not \"Jobs that run.\"\n",
    ] {
        assert!(debug.contains(line), "{line} in {debug}");
    }
}

#[test]
fn check_names_each_fault_of_a_rule() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("sources.yaml");
    let text = "metric_relabel_configs:
- {source_labels: [__name__], regex: 'go_(.*', action: drop}
- source_labels: [a]
  target_label: a-b
- {regex: x, action: labeldropp}
- {action: hashmod, target_label: x}
- {regexx: y}
- {source_labels: [code], regex: 404, action: drop}
";
    std::fs::write(&file, text).unwrap();
    let output = exporter(&[]).args(["check"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let output = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    for fault in [
        "2:31: this is no regular expression: unclosed group",
        "4:3: no label can have this name",
        "5:22: this is no action; there are replace, keep, drop",
        "6:3: hashmod needs a modulus above 0",
        "7:4: unknown key \"regexx\"; did you mean regex?",
    ] {
        assert!(output.contains(fault), "{fault} in {output}");
    }
    assert!(!output.contains(":8:"), "{output}");
}

#[test]
fn series_that_their_own_page_contradicts_are_counted_and_named() {
    let (app, _) = source("jobs 1\njobs 2\n# TYPE wait histogram\nwait_bucket{le=\"1\"} 1\n");
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("disks.prom"), "healthy{disk=\"0\"} 1\nhealthy{disk=\"0\"} 1\n").unwrap();
    let directory = directory.path().to_str().unwrap();
    let app = app.url("/#name=app");
    let arguments = ["--collect", "textfile", "--textfile-directory", directory, "--scrape", &app];
    let exporter = Exporter::start_command(&mut exporter(&arguments));
    let page = exporter.page();
    let left_out = |source| {
        let series = "sidekit_metrics_exporter_source_left_out_series{reason=\"invalid_series\"";
        value(&page, &format!("{series},source=\"{source}\"}}"))
    };
    assert_eq!((left_out("app").to_string(), left_out("disks.prom").to_string()), ("2".into(), "1".into()));
    let debug = exporter.get("/debug/merge");
    for line in
        ["flaws of the page of disks.prom\n    healthy: repeated series", "    wait: neither a bucket +Inf nor a count"]
    {
        assert!(debug.contains(line), "{line} in {debug}");
    }
}
