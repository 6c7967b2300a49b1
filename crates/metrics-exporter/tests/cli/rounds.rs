//! Scrapes that arrive together, that take long, and whose scraper hangs up.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use harness::{DEADLINE, http, until};

use crate::support::{Exporter, HttpServer, Reply, SlowServer, has, text_page, value};

/// A scrape in flight
struct Scrape(TcpStream);

impl Scrape {
    fn of(exporter: &Exporter, timeout_seconds: &str) -> Self {
        let mut stream = TcpStream::connect(exporter.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: pod\r\nX-Prometheus-Scrape-Timeout-Seconds: {timeout_seconds}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        Self(stream)
    }

    fn page(mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }
}

#[test]
fn scrapes_that_arrive_together_share_one_round() {
    let app = SlowServer::start("app 1\n");
    let exporter = Exporter::start(&["--scrape", &app.url()]);
    let files = || exporter.program.files_and_threads().0;
    let files_before = files();
    let scrapes: Vec<_> = (0..8).map(|_| Scrape::of(&exporter, "60")).collect();
    until("the source is asked", || (app.requests() > 0).then_some(()));
    until("all scrapes have a connection", || (files() >= files_before + 8).then_some(()));
    app.release();
    for scrape in scrapes {
        assert!(has(&scrape.page(), "app"));
    }
    assert_eq!(app.requests(), 1);
    assert!(has(&exporter.page(), "app"));
    assert_eq!(app.requests(), 2, "a later scrape has a round of its own");
}

#[test]
fn a_scraper_that_hangs_up_stops_the_request_unless_another_waits_too() {
    let app = SlowServer::start("app 1\n");
    let exporter = Exporter::start(&["--scrape", &app.url()]);
    let (first, second) = (Scrape::of(&exporter, "60"), Scrape::of(&exporter, "60"));
    until("the source is asked", || (app.requests() > 0).then_some(()));
    drop(first);
    // The second scrape still gets its page from the same request.
    app.release();
    assert!(has(&second.page(), "app"));
    assert_eq!(app.requests(), 1);

    let app = SlowServer::start("app 1\n");
    let exporter = Exporter::start(&["--scrape", &app.url()]);
    let only = Scrape::of(&exporter, "60");
    until("the source is asked", || (app.requests() > 0).then_some(()));
    assert_eq!(app.hang_ups(), 0);
    drop(only);
    until("the request is given up", || (app.hang_ups() == 1).then_some(()));
}

#[test]
fn a_slow_source_is_late_within_the_scrapers_time_and_costs_its_own_series() {
    let (slow, app) = (SlowServer::start("slow 1\n"), HttpServer::start(|_| text_page("app 1\n")));
    let exporter = Exporter::start(&["--scrape", &format!("{}#name=slow", slow.url()), "--scrape", &app.url("/")]);
    let begin = Instant::now();
    let page = Scrape::of(&exporter, "4").page();
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(has(&page, "app") && !has(&page, "slow"), "{page}");
    assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"timed_out\",source=\"slow\"}"), "{page}");
    assert!(value(&page, "sidekit_metrics_exporter_source_duration_seconds{source=\"slow\"}") > 3.0);
    let asked = app.asked();
    let told: f64 = asked[0].header("x-prometheus-scrape-timeout-seconds").unwrap().parse().unwrap();
    assert!((3.0..4.0).contains(&told), "{told}");
}

#[test]
fn a_value_is_never_older_than_its_scrape() {
    let is_up = Arc::new(AtomicBool::new(true));
    let answers = is_up.clone();
    let app = HttpServer::start(move |_| if answers.load(SeqCst) { text_page("app 1\n") } else { Reply::status(500) });
    let exporter = Exporter::start(&["--scrape", &format!("{}#name=app", app.url("/"))]);
    assert!(has(&exporter.page(), "app"));
    is_up.store(false, SeqCst);
    let page = exporter.page();
    assert!(!has(&page, "app"), "{page}");
    assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"http_status\",source=\"app\"}"), "{page}");
}

#[test]
fn a_page_that_is_made_by_an_old_configuration_leaves_nothing_to_the_new_one() {
    let (slow, fast) = (SlowServer::start("jobs 1\n"), HttpServer::start(|_| text_page("jobs 2\n")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sources.yaml");
    let entry = |url: &str, name| format!("- {{url: '{url}', name: {name}}}\n");
    fs::write(&path, format!("scrape:\n{}{}", entry(&slow.url(), "slow"), entry(&fast.url("/"), "fast"))).unwrap();
    let mut exporter = Exporter::start(&["--config", path.to_str().unwrap()]);
    let scrape = Scrape::of(&exporter, "60");
    until("the source is asked", || (slow.requests() > 0).then_some(()));
    fs::write(&path, format!("scrape:\n{}", entry(&fast.url("/"), "fast"))).unwrap();
    exporter.program.wait_for_message("new configuration in force");
    slow.release();
    assert!(has(&scrape.page(), "jobs{source=\"slow\"}"));
    let page = exporter.page();
    assert!(has(&page, "jobs"), "{page}");
}

#[test]
fn a_scrape_that_runs_at_the_stop_is_answered() {
    let app = SlowServer::start("app 1\n");
    let mut exporter = Exporter::start(&["--scrape", &app.url()]);
    let scrape = Scrape::of(&exporter, "60");
    until("the source is asked", || (app.requests() > 0).then_some(()));
    exporter.program.signal("TERM");
    exporter.program.wait_for_message("stopping");
    app.release();
    assert!(has(&scrape.page(), "app"));
    assert_eq!(exporter.program.end().code, Some(0));
}

#[test]
fn slow_rules_cost_the_page_of_their_source_and_leave_the_exporter_alive() {
    let label = "a".repeat(100);
    let page: Vec<_> = (0..40_000).map(|nth| format!("slow{{a=\"{label}{nth}\"}} 1\n")).collect();
    let page = page.concat();
    let (slow, app) =
        (HttpServer::start(move |_| text_page(&page)), HttpServer::start(|_| text_page("jobs{a=\"b\"} 1\n")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sources.yaml");
    let rule = "{source_labels: [a], regex: '(a|aa|a{1,50}|[ab]*)*b(.*)(.*)(.*)x', target_label: z}\n";
    let rules = format!("  - {rule}").repeat(50);
    let entry = |url: &str, name: &str, rules: &str| {
        format!("- url: {url}\n  name: {name}\n  metric_relabel_configs:\n{rules}")
    };
    let app_rule = "  - {target_label: team, replacement: web}\n";
    let entries = [entry(&slow.url("/"), "slow", &rules), entry(&app.url("/"), "app", app_rule)].concat();
    fs::write(&path, format!("scrape:\n{entries}")).unwrap();
    let exporter = Exporter::start(&["--config", path.to_str().unwrap()]);
    let scrapes: Vec<_> = (0..3).map(|_| Scrape::of(&exporter, "4")).collect();
    for scrape in scrapes {
        let page = scrape.page();
        assert!(has(&page, "jobs{a=\"b\",team=\"web\"}") && !page.contains("\nslow{"), "{page}");
        let left_out = "sidekit_metrics_exporter_source_left_out_series{reason=\"slow_rules\",source=\"slow\"}";
        assert!((value(&page, left_out) - 40_000.0).abs() < 0.5, "{page}");
    }
    assert_eq!(http::get(exporter.address, "/livez").status, 200);
}

#[test]
fn ten_thousand_scrapes_leave_nothing_behind() {
    let app = HttpServer::start(|_| text_page("# TYPE app_total counter\napp_total{a=\"1\"} 5\n"));
    let exporter = Exporter::start(&["--scrape", &app.url("/"), "--scrape", "http://127.0.0.1:1/#name=dead"]);
    let address = exporter.address;
    let scrape = |times: usize| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..times / 4).for_each(|_| assert_eq!(http::get(address, "/metrics").status, 200)));
            }
        });
    };
    scrape(1000);
    let before = (exporter.resident_bytes(), exporter.program.files_and_threads());
    scrape(9000);
    let after = (exporter.resident_bytes(), exporter.program.files_and_threads());
    assert!(after.0 < before.0 + 4_000_000, "{before:?} {after:?}");
    assert!(after.1.0 <= before.1.0 + 4 && after.1.1 <= before.1.1 + 4, "{before:?} {after:?}");
}

#[test]
fn a_scrape_that_outlasts_the_deadline_of_a_stop_is_given_up_and_the_stop_succeeds() {
    let app = SlowServer::start("app 1\n");
    let mut exporter = Exporter::start(&["--scrape", &app.url(), "--shutdown-timeout", "2s"]);
    let mut scrape = Scrape::of(&exporter, "60");
    until("the source is asked", || (app.requests() > 0).then_some(()));
    exporter.program.signal("TERM");
    exporter.program.wait_for_message("a page is given up, because the stop's deadline is near");
    let mut answer = String::new();
    scrape.0.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let ended = exporter.program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
