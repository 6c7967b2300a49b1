//! Pages of a helper's own on the health listener, which the job answers.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{DEADLINE, NEVER, Program, end, http, sidecar, sidecar_command};

/// A sidecar with pages of its own; `/debug/slow` takes until `release`
struct Pod {
    program: Program,
    address: SocketAddr,
    directory: TempDir,
}

impl Pod {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (page, stall) = (directory.path().join("page"), directory.path().join("stall"));
        let flags = ["--page-file", page.to_str().unwrap(), "--stall-file", stall.to_str().unwrap()];
        let mut program = Program::start(&mut sidecar(&[&flags, arguments].concat()));
        let address = program.address("health");
        http::until_status(address, "/startupz", 200);
        Self { program, address, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn release(&self) {
        fs::write(self.file("page"), "").unwrap();
    }

    /// Asks for the slow page and waits until the job works on it.
    fn ask_slowly(&mut self) -> TcpStream {
        let stream = self.send("/debug/slow");
        self.program.wait_for_message("page begun");
        stream
    }

    fn send(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect_timeout(&self.address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n").as_bytes()).unwrap();
        stream
    }
}

fn answer_of(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_job_answers_with_status_headers_and_body_and_sees_the_head() {
    let mut pod = Pod::start(&[]);
    for path in ["/metrics", "/debug/merge"] {
        let answer = http::get(pod.address, path);
        assert_eq!((answer.status, answer.body), (203, format!("GET {path}\n")));
        assert!(answer.head.contains("content-type: text/x-page"), "{}", answer.head);
    }
    let head = "GET /metrics?a=b HTTP/1.1\r\nHost: pod\r\nX-Prometheus-Scrape-Timeout-Seconds: 7\r\n\r\n";
    assert_eq!(http::raw(pod.address, head).status, 203);
    pod.program.wait_for_line(r#""limit":"7""#);
    let answer = http::ask(pod.address, "HEAD", "/metrics");
    assert_eq!((answer.status, &*answer.body), (203, ""));
    assert!(answer.head.contains("content-length: 14"), "{}", answer.head);
    assert_eq!(http::ask(pod.address, "POST", "/metrics").status, 405);
    assert_eq!(http::get(pod.address, "/debug").body, "GET /debug\n");
    let answer = http::get(pod.address, "/");
    assert_eq!((answer.status, &*answer.body), (404, "try /livez, /readyz, /startupz, /metrics or /debug\n"));
    assert_eq!(http::get(pod.address, "/livez").body, "ok");
}

#[test]
fn a_page_that_panics_is_503_and_the_next_one_is_answered() {
    let pod = Pod::start(&[]);
    let answer = http::get(pod.address, "/debug/panic");
    assert_eq!((answer.status, &*answer.body), (503, "the page was given up\n"));
    assert_eq!(http::get(pod.address, "/metrics").status, 203);
}

#[test]
fn a_scraper_that_hangs_up_stops_the_work_for_it() {
    let mut pod = Pod::start(&[]);
    let stream = pod.ask_slowly();
    drop(stream);
    pod.program.wait_for_message("page given up");
}

#[test]
fn a_page_may_take_longer_than_a_probe() {
    let mut pod = Pod::start(&[]);
    let since = Instant::now();
    let stream = pod.ask_slowly();
    // A probe's connection ends after 5 s.
    while since.elapsed() < Duration::from_secs(6) {
        assert_eq!(http::get(pod.address, "/livez").status, 200);
        std::thread::sleep(Duration::from_millis(100));
    }
    pod.release();
    let answer = answer_of(stream);
    assert!(answer.starts_with("HTTP/1.1 203 ") && answer.ends_with("GET /debug/slow\n"), "{answer}");
}

#[test]
fn pages_that_wait_take_no_place_of_the_probes_and_more_than_sixteen_are_503() {
    let mut pod = Pod::start(&[]);
    let waiting: Vec<_> = (0..16).map(|_| pod.ask_slowly()).collect();
    let answer = http::get(pod.address, "/metrics");
    assert_eq!((answer.status, &*answer.body), (503, "too many pages are asked for at once\n"));
    // More connections than the listener keeps open: none of them pushes a page out, and no page pushes a probe out.
    let idle: Vec<_> = (0..40).map(|_| TcpStream::connect(pod.address).unwrap()).collect();
    let probe = end(sidecar_command(&["probe", "live", "--health-addr", &pod.address.to_string()]));
    assert_eq!(probe.code, Some(0), "{probe:#?}");
    drop(idle);
    pod.release();
    for stream in waiting {
        let answer = answer_of(stream);
        assert!(answer.starts_with("HTTP/1.1 203 "), "{answer}");
    }
    assert_eq!(http::get(pod.address, "/metrics").status, 203);
}

#[test]
fn a_stuck_job_is_503_within_seconds_while_livez_answers() {
    let pod = Pod::start(&["--bound", "1h"]);
    fs::write(pod.file("stall"), "").unwrap();
    let since = Instant::now();
    // A request that comes before the loop stalls is answered.
    let answer = http::until_status(pod.address, "/metrics", 503);
    assert_eq!(answer.body, "the helper's thread is busy\n");
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    assert_eq!(http::get(pod.address, "/livez").status, 200);
    fs::remove_file(pod.file("stall")).unwrap();
    assert_eq!(http::get(pod.address, "/metrics").status, 203);
}

#[test]
fn pages_are_answered_until_the_end_of_a_drain() {
    let mut pod = Pod::start(&["--drain-delay", "1h", "--shutdown-timeout", "2h"]);
    pod.program.signal("TERM");
    http::until_status(pod.address, "/readyz", 503);
    let stream = pod.ask_slowly();
    assert_eq!(http::get(pod.address, "/metrics").status, 203);
    pod.release();
    assert!(answer_of(stream).starts_with("HTTP/1.1 203 "));
}

#[test]
fn a_page_in_flight_is_finished_before_the_end() {
    let mut pod = Pod::start(&[]);
    let stream = pod.ask_slowly();
    pod.program.signal("TERM");
    pod.program.wait_for_message("stopping");
    pod.release();
    assert!(answer_of(stream).starts_with("HTTP/1.1 203 "));
    assert_eq!(pod.program.end().code, Some(0));
}

#[test]
fn a_page_without_end_does_not_make_the_stop_unfinished() {
    let mut pod = Pod::start(&["--shutdown-timeout", "3s"]);
    let stream = pod.ask_slowly();
    pod.program.signal("TERM");
    pod.program
        .wait_for_line(r#""message":"a page is given up, because the stop's deadline is near","path":"/debug/slow""#);
    assert!(answer_of(stream).starts_with("HTTP/1.1 503 "));
    let ended = pod.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn without_pages_of_its_own_a_helper_serves_its_registry_and_no_debug_page() {
    let mut program = Program::start(&mut sidecar(&["--begin-file", NEVER]));
    let address = program.address("health");
    assert!(http::get(address, "/metrics").body.contains("sidekit_build_info{"));
    assert_eq!(http::get(address, "/debug/merge").status, 404);
}
