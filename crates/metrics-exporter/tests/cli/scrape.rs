//! One page of several sources.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use harness::http;

use crate::support::{Exporter, HttpServer, Reply, has, text_page, value};

#[test]
fn the_pages_of_all_sources_are_one() {
    let app = HttpServer::start(|_| text_page("# TYPE app_total counter\napp_total{a=\"1\"} 5\nprocess_threads 3\n"));
    let proxy = HttpServer::start(|_| text_page("proxy_up 1\n"));
    let exporter = Exporter::start(&[
        "--scrape",
        &format!("{}#name=app", app.url("/metrics")),
        "--scrape",
        &format!("{}#name=proxy", proxy.url("/metrics")),
    ]);
    let page = exporter.page();
    for series in ["app_total{a=\"1\"}", "proxy_up", "process_threads", "process_threads{source=\"metrics-exporter\"}"]
    {
        assert!(has(&page, series), "{series} in {page}");
    }
    for source in ["app", "proxy"] {
        assert!(value(&page, &format!("sidekit_metrics_exporter_source_up{{source=\"{source}\"}}")) > 0.0);
    }
}

#[test]
fn a_dead_source_costs_its_own_series_only() {
    let app = HttpServer::start(|_| text_page("app 1\n"));
    let exporter =
        Exporter::start(&["--scrape", &app.url("/metrics"), "--scrape", "http://127.0.0.1:1/metrics#name=dead"]);
    let page = exporter.page();
    assert!(has(&page, "app"), "{page}");
    assert!(value(&page, "sidekit_metrics_exporter_source_up{source=\"dead\"}") < 0.5);
    assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"refused\",source=\"dead\"}"), "{page}");
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("dead (http://127.0.0.1:1/metrics): no page after "), "{debug}");
    assert!(debug.contains("refused: connection refused"), "{debug}");
}

#[test]
fn without_sources_it_serves_its_own_collectors() {
    let exporter = Exporter::start_command(&mut crate::support::exporter(&[]));
    assert!(exporter.page().contains("node_network_receive_bytes_total{device=\"lo\"}"));
}

#[test]
fn a_source_may_be_on_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\napp 1\n").unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let exporter = Exporter::start(&["--scrape", &format!("http+unix://{}:/metrics", path.display())]);
    let page = exporter.page();
    assert!(has(&page, "app") && has(&page, "sidekit_metrics_exporter_source_up{source=\"app.sock\"}"), "{page}");
    assert!(serving.join().unwrap().starts_with("GET /metrics HTTP/1.1\r\n"));
}

#[test]
fn names_of_the_exporter_are_its_own_and_those_of_every_helper_are_shared() {
    let proxy = HttpServer::start(|_| {
        text_page(
            "sidekit_metrics_exporter_source_up{source=\"x\"} 7\n\
             sidekit_build_info{helper=\"proxy\",version=\"1\"} 1\nprocess_threads 3\n",
        )
    });
    let exporter = Exporter::start(&["--scrape", &format!("{}#name=proxy", proxy.url("/metrics"))]);
    let page = exporter.page();
    assert!(!page.contains("source=\"x\""), "{page}");
    let version = env!("CARGO_PKG_VERSION");
    for series in [
        "sidekit_build_info{helper=\"proxy\",version=\"1\"}",
        &format!("sidekit_build_info{{helper=\"metrics-exporter\",version=\"{version}\"}}"),
        "process_threads",
        "process_threads{source=\"metrics-exporter\"}",
        "sidekit_metrics_exporter_source_left_out_series{reason=\"own_metric\",source=\"proxy\"}",
    ] {
        assert!(has(&page, series), "{series} in {page}");
    }
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("sidekit_metrics_exporter_source_up: own_metric, 1 series"), "{debug}");
}

#[test]
fn a_source_whose_page_breaks_its_format_says_where() {
    let app = HttpServer::start(|_| text_page("app_a 1\napp_b one\n"));
    let mut exporter = Exporter::start(&["--scrape", &format!("{}#name=app", app.url("/metrics"))]);
    let page = exporter.page();
    assert!(!page.contains("app_a"), "no half of a page: {page}");
    assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"malformed\",source=\"app\"}"), "{page}");
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("malformed: its page breaks the rules of its format: line 2: "), "{debug}");
    exporter.program.wait_for_line("\"reason\":\"malformed\"");
}

#[test]
fn a_source_that_stays_down_is_in_the_log_once_for_each_reason() {
    let state = Arc::new(AtomicUsize::new(0));
    let current = state.clone();
    let app = HttpServer::start(move |_| match current.load(SeqCst) {
        0 => Reply::status(503),
        1 => text_page("app one\n"),
        _ => text_page("app 1\n"),
    });
    let exporter = Exporter::start(&["--scrape", &format!("{}#name=app", app.url("/metrics"))]);
    for next in 0..3 {
        state.store(next, SeqCst);
        for _ in 0..20 {
            exporter.page();
        }
    }
    exporter.program.signal("TERM");
    let ended = exporter.program.end();
    let about_app: Vec<_> = ended.log.iter().filter(|line| line["source"] == "app").collect();
    let told: Vec<_> = about_app.iter().map(|line| (line["level"].as_str(), line["reason"].as_str())).collect();
    let warning = |reason| (Some("WARN"), Some(reason));
    assert_eq!(told, [warning("http_status"), warning("malformed"), (Some("INFO"), None)], "{ended:#?}");
    assert_eq!(about_app[2].message(), "the source gives a page again");
}

#[test]
fn any_other_path_and_method_is_refused() {
    let exporter = Exporter::start(&[]);
    assert_eq!(http::get(exporter.address, "/debug/other").status, 404);
    assert_eq!(http::get(exporter.address, "/other").status, 404);
    assert_eq!(http::ask(exporter.address, "POST", "/metrics").status, 405);
    let head = http::ask(exporter.address, "HEAD", "/metrics");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert!(head.head.contains("content-type: text/plain; version=0.0.4"), "{}", head.head);
}
