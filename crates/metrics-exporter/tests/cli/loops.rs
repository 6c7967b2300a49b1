//! Sources that lead back to the exporter.

use std::time::Instant;

use harness::http;

use crate::support::{Exporter, HttpServer, has, text_page, value};

/// An address with a port that is free at the moment
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Starts an exporter on this address, with these sources.
fn start_on(address: &str, urls: &[&str]) -> Exporter {
    let binary = env!("CARGO_BIN_EXE_metrics-exporter");
    let mut command = harness::command(binary, &["--collect", "none", "--health-addr", address]);
    command.args(urls.iter().flat_map(|url| ["--scrape", url]));
    Exporter::start_command(&mut command)
}

fn loop_of(source: &str) -> String {
    format!("sidekit_metrics_exporter_source_fault{{reason=\"loop\",source=\"{source}\"}}")
}

#[test]
fn an_exporter_that_asks_itself_says_so_at_once() {
    let app = HttpServer::start(|_| text_page("app 1\n"));
    let address = free_port();
    let own = format!("http://{address}/metrics#name=own");
    let exporter = start_on(&address, &[&app.url("/metrics"), &own]);
    let begin = Instant::now();
    let page = exporter.page();
    harness::assert_at_once(begin);
    assert!(has(&page, "app") && has(&page, &loop_of("own")), "{page}");
}

#[test]
fn exporters_that_ask_each_other_are_one_page_at_once() {
    let app = HttpServer::start(|_| text_page("app 1\n"));
    let [one, two] = [free_port(), free_port()];
    let first = start_on(&one, &[&app.url("/metrics"), &format!("http://{two}/metrics#name=two")]);
    let second = start_on(&two, &[&format!("http://{one}/metrics#name=one")]);
    // Scrape both at the same time, so that each requests the other's page.
    let begin = Instant::now();
    let (page, other) = std::thread::scope(|scope| {
        let (one, two) = (first.address, second.address);
        let [one, two] = [one, two].map(|address| scope.spawn(move || http::get(address, "/metrics").body));
        (one.join().unwrap(), two.join().unwrap())
    });
    harness::assert_at_once(begin);
    for (page, source) in [(&page, "two"), (&other, "one")] {
        assert!(value(page, &format!("sidekit_metrics_exporter_source_up{{source=\"{source}\"}}")) > 0.0, "{page}");
    }
    assert!(has(&page, "app") && has(&other, "app"), "{other}");
}
