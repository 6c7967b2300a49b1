//! slowhttptest: clients that are slow on purpose. The proxy ends them at its bounds, and serves others meanwhile.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use e2e::{
    peers::{
        app::{App, Kind},
        front::Front,
    },
    process::{command, output},
};
use harness::{http, until};

/// Connections of slowhttptest
const SLOW: u64 = 300;

fn metric(health: SocketAddr, name: &str) -> u64 {
    let page = http::get(health, "/metrics").body;
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

/// Runs slowhttptest, while another client asks again and again.
#[track_caller]
fn attack(front: &Front, arguments: &[&str], path: &str) {
    let url = format!("http://{}{path}", front.address);
    let mut tool = command("slowhttptest");
    tool.args(["-c", &SLOW.to_string(), "-r", "200", "-p", "3", "-u", &url]).args(arguments);
    let attack = thread::spawn(move || output(tool));
    let mut slowest = Duration::ZERO;
    while !attack.is_finished() {
        let start = Instant::now();
        let answer = http::raw(front.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_eq!(answer.status, 200);
        slowest = slowest.max(start.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    let report = attack.join().unwrap();
    assert!(slowest < Duration::from_secs(3), "{slowest:?}\n{report}");
    let mut availability = report.lines().filter(|line| line.contains("service available")).peekable();
    assert!(availability.peek().is_some() && availability.all(|line| line.contains("YES")), "{report}");
}

/// Waits until only the connections of this test are left.
#[track_caller]
fn all_are_closed(front: &Front) {
    let connections = format!("sidekit_proxy_connections{{listener=\"{}\"}}", front.listener);
    until("slow clients are gone", || (metric(front.health, &connections) == 0).then_some(()));
}

fn met(front: &Front, limit: &str) -> u64 {
    metric(front.health, &format!("sidekit_proxy_limits_met_total{{limit=\"{limit}\"}}"))
}

#[test]
fn slow_headers_end_at_the_header_timeout() {
    let app = App::start(Kind::Nginx);
    let front = Front::ours(app.address, &["--header-timeout", "3s"]);
    attack(&front, &["-H", "-i", "2", "-x", "24", "-l", "12"], "/");
    all_are_closed(&front);
    assert!(met(&front, "header-timeout") >= SLOW, "{}", met(&front, "header-timeout"));
}

#[test]
fn slow_bodies_end_at_the_least_rate() {
    let app = App::start(Kind::Nginx);
    let front = Front::ours(app.address, &[]);
    attack(&front, &["-B", "-t", "PUT", "-i", "2", "-s", "8192", "-x", "10", "-l", "20"], "/upload");
    all_are_closed(&front);
    assert!(met(&front, "min-body-rate") >= SLOW, "{}", met(&front, "min-body-rate"));
}

#[test]
fn slow_readers_end_at_the_idle_timeout() {
    let app = App::start(Kind::Go);
    let upload = vec![b'x'; 30_000_000];
    let body = http::raw(
        app.address,
        &format!(
            "PUT /upload HTTP/1.0\r\nContent-Length: {}\r\n\r\n{}",
            upload.len(),
            String::from_utf8(upload).unwrap()
        ),
    );
    assert_eq!(body.status, 201);
    let front = Front::ours(app.address, &["--idle-timeout", "4s"]);
    attack(&front, &["-X", "-w", "512", "-y", "1024", "-n", "60", "-z", "32", "-k", "1", "-l", "15"], "/upload");
    all_are_closed(&front);
    let page = http::get(front.health, "/metrics").body;
    let gone = page.lines().find(|line| {
        line.starts_with("http_server_request_duration_seconds_count") && line.contains("error_type=\"client-gone\"")
    });
    let count: u64 = gone.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default();
    assert!(count >= SLOW, "{page}");
}
