//! metrics-exporter and its sources: an answer that is no page of metrics has a clear reason.

use std::fs;

use e2e::{
    peers::{
        metrics_app::{Library, MetricsApp},
        nginx::plain,
        prometheus::Scraper,
    },
    process::{Process, binary, command},
    server::Server,
};
use harness::http;

use crate::metrics_pod::{MetricsPod, TEXT};

/// nginx with its own status page, and with the page of an app behind it
fn nginx(app: &MetricsApp) -> Server {
    plain(&format!(
        "location = /status {{ stub_status; }}
         location = /text {{ proxy_set_header Accept \"text/plain\"; proxy_pass {}; }}
         location = /login {{ return 302 /; }}
         location = /page {{ default_type text/html; return 200 '<html>hello</html>'; }}",
        app.url()
    ))
}

#[test]
fn the_status_page_of_nginx_is_told_apart_and_costs_no_other_series() {
    let app = MetricsApp::start(Library::ClientGolang);
    let nginx = nginx(&app);
    let source = |path: &str, name: &str| format!("http://127.0.0.1:{}{path}#name={name}", nginx.port());
    let mut pod = MetricsPod::start(&[
        source("/status", "status"),
        source("/text", "app"),
        source("/login", "login"),
        source("/page", "page"),
    ]);
    let page = pod.page(TEXT);
    for (name, up) in [("status", 0), ("app", 1), ("login", 0), ("page", 0)] {
        let line = format!("sidekit_metrics_exporter_source_up{{source=\"{name}\"}} {up}");
        assert!(page.contains(&line), "no {line} in\n{page}");
    }
    assert!(page.contains("shop_orders_total{kind=\"plain\"} 7"), "{page}");
    assert!(!page.contains("Active connections"), "{page}");
    let merge = pod.debug("/debug/merge");
    let line = merge.lines().find(|line| line.contains("status")).unwrap_or_else(|| panic!("{merge}"));
    assert!(line.contains("stub_status"), "{line}");
    let logged = pod.says("status");
    assert!(logged.contains("stub_status"), "{logged}");
    let seen = fs::read_to_string(nginx.directory.join("access.log")).unwrap();
    assert_eq!(seen.lines().filter(|line| line.contains("GET /login")).count(), 1, "a redirect was followed: {seen}");
}

#[test]
fn prometheus_misses_no_scrape_while_a_source_hangs() {
    let mut program = command(binary("test-app"));
    program.args(["127.0.0.1:0", "stock"]);
    let mut stock = Process::start(program);
    let stock_address = stock.says("listens on ").split_once("listens on ").unwrap().1.to_owned();
    let app = MetricsApp::start(Library::PrometheusClient);
    let pod = MetricsPod::start(&[format!("http://{stock_address}/#name=stock"), format!("{}#name=app", app.url())]);
    let prometheus = Scraper::prometheus(&[("pod", pod.address())], false);
    prometheus.until_scraped("pod");
    prometheus.until_found("stock_orders_total > 0");

    let _ = http::raw(
        stock_address.parse().unwrap(),
        "POST /tell/hang HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n\r\n",
    );
    // Two scrapes of a second each, both within their time
    prometheus.until_found("sum_over_time((1 - sidekit_metrics_exporter_source_up{source=\"stock\"})[3s:1s]) >= 2");
    assert!(prometheus.query("stock_orders_total").is_empty(), "a value of the past");
    assert_eq!(prometheus.query("py_orders_total{kind=\"plain\"}").len(), 1);
    let missed = prometheus.query("min_over_time(up{job=\"pod\"}[1h]) == 0");
    assert!(missed.is_empty(), "{:?}", prometheus.targets());
}
