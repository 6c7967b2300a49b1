//! Thousands of attempts and many targets: no socket is left behind, and no target has a thread.

use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use crate::support::{
    Program, Signal,
    h2::{Http2, Reply},
    http::{Http, status},
    server::{ClosedPort, Server, hold},
    until, wait_for,
};

#[test]
fn ten_thousand_attempts_leak_no_socket() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("app.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let closed = ClosedPort::new();
    let open = Server::start(|stream, _| hold(stream));
    let closing = Server::start(|stream, _| drop(stream));
    let http = Http::start(|_| status("503 No"));
    let http2 = Http2::start(None, |_| Reply::default());
    let urls = [
        closed.url(),
        format!("{}#hold=0s&stable=1000000", open.url("tcp")),
        closing.url("tcp"),
        closing.url("redis"),
        closing.url("mysql"),
        closing.url("memcached"),
        closing.url("nats"),
        closing.url("smtp"),
        closing.url("ldap"),
        closing.url("amqp"),
        closing.url("mongodb"),
        format!("{},{}", closing.url("kafka"), closing.address),
        http.url("/"),
        format!("http://{}/#http2&stable=1000000", http2.address),
        format!("grpc://{}", http2.address),
        format!("unix://{}#stable=1000000", socket.display()),
    ];
    let mut arguments = vec!["--interval", "1ms", "--output", "json"];
    arguments.extend(urls.iter().map(String::as_str));
    let program = Program::start(&mut wait_for(&arguments));
    until("there were some thousand attempts", || (open.accepted() + closing.accepted() > 8_000).then_some(()));
    // A connection that was just dropped may wait for its turn to close; one that leaked would
    // stay.
    until("few files are open", || (program.files_and_threads().0 < 40).then_some(()));
    let (_, threads) = program.files_and_threads();
    assert!(threads < 10, "{threads} threads");
    program.signal(Signal::TERM);
    let json = program.end().json();
    let attempts: Vec<_> = json["targets"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64()).collect();
    assert!(attempts.iter().copied().sum::<Option<u64>>() > Some(10_000), "{json:#}");
    assert!(attempts.iter().all(|count| *count > Some(100)), "{json:#}");
}

#[test]
fn a_hundred_targets_need_no_thread_each() {
    let ports: Vec<_> = (0..50).map(|_| ClosedPort::new()).collect();
    let silent = Server::start(|stream, _| hold(stream));
    let mut urls: Vec<_> = ports.iter().map(ClosedPort::url).collect();
    urls.extend((0..50).map(|nth| format!("{}/{nth}", silent.url("http"))));
    let program = Program::start(&mut wait_for(&urls.iter().map(String::as_str).collect::<Vec<_>>()));
    until("all are asked at once", || (silent.accepted() >= 50).then_some(()));
    let (_, threads) = program.files_and_threads();
    assert!(threads < 10, "{threads} threads");
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(143));
}
