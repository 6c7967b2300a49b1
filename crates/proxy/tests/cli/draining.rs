//! The end: what is in flight finishes, what waits in the queue is served, and clients are told to go.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::header,
    open_loop::OpenLoop,
    support::{OK, Proxy, Signal, proxy},
    upstream::Upstream,
};

#[test]
fn requests_in_flight_finish_and_their_connections_close() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        thread::sleep(Duration::from_millis(700));
        connection.write(OK);
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for_requests(1);
    proxy.program.signal(Signal::TERM);
    let answer = client.answer();
    assert_eq!((answer.body.as_str(), header(&answer.head, "connection")), ("ok", Some("close")));
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn while_it_drains_it_serves_and_tells_clients_to_go_elsewhere() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--drain-delay", "5s"]);
    let mut kept = proxy.client();
    assert_eq!(header(&kept.get("/").head, "connection"), None);
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    assert_eq!(header(&kept.get("/").head, "connection"), Some("close"));
    assert!(kept.is_closed());
    // New connections are served for as long as others may not know that this one goes.
    let mut served = 0;
    while start.elapsed() < Duration::from_secs(2) {
        assert_eq!(proxy.client().get("/").status, 200);
        served += 1;
    }
    assert!(served > 0);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_drain_ends_also_where_no_descriptor_is_left() {
    let upstream = Upstream::answering(OK);
    let command = proxy(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--shutdown-timeout", "10s"]);
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=60:60", "--"]).arg(command.get_program()).args(command.get_args()).env_clear();
    let proxy = Proxy::of(&mut limited);
    // Most of them stay in the listener's queue, and the drain has too few descriptors for all of these.
    let clients: Vec<_> = (0..100).map(|_| proxy.client()).collect();
    harness::until("clients have all descriptors that they may have", || {
        (proxy.metric("sidekit_proxy_limits_met_total{limit=\"max-connections\"}") > 0).then_some(())
    });
    proxy.stop();
    drop(clients);
}

#[test]
fn an_idle_connection_is_closed_at_the_end_of_the_drain() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut idle = proxy.client();
    idle.get("/");
    let mut unused = proxy.client();
    proxy.program.signal(Signal::TERM);
    assert!(idle.is_closed() && unused.is_closed());
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_request_that_does_not_end_makes_it_75() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        thread::sleep(Duration::from_secs(60));
    });
    let proxy = Proxy::start(&upstream, &["--shutdown-timeout", "1s"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for_requests(1);
    proxy.program.signal(Signal::TERM);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(format!("{:?}", ended.log.last()).contains("1 requests"), "{ended:#?}");
}

#[test]
fn outbound_serves_until_its_clients_have_gone() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--direction", "outbound"]);
    let mut app = proxy.client();
    app.get("/");
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(150));
        let answer = app.get("/");
        assert_eq!((answer.status, header(&answer.head, "connection")), (200, None));
    }
    drop(app);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn outbound_serves_an_app_that_connects_anew_for_each_request() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--direction", "outbound"]);
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    // Each connection is shorter than a look at them.
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(200));
        assert_eq!(proxy.client().get("/").status, 200);
    }
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// Replaces the proxy beside its successor, again and again, while requests start by the clock.
fn replace(times: usize, workers: &str) {
    /// Between two replacements; shorter than a drain, so that several proxies listen at once
    const PAUSE: Duration = Duration::from_millis(300);
    let upstream = Upstream::answering(OK);
    let arguments = ["--drain-delay", "1s", "--workers", workers];
    let mut proxy = Proxy::start(&upstream, &arguments);
    let listen = proxy.address.to_string();
    let half_a_drain = Duration::from_millis(500);
    let client = OpenLoop::start(proxy.address, Duration::from_millis(4), half_a_drain);
    let mut replaced = Vec::new();
    for _ in 0..times {
        let front = ["--listen", &listen, "--upstream", &upstream.url()];
        let successor = Proxy::run(&[&front, &arguments[..]].concat());
        proxy.program.signal(Signal::TERM);
        replaced.push(proxy.program);
        proxy = successor;
        thread::sleep(PAUSE);
    }
    for program in replaced {
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
    let tally = client.end();
    assert!(tally.sent > times * 75, "{tally:?}");
    assert_eq!(upstream.requests().len(), tally.sent);
    proxy.stop();
}

#[test]
fn fifty_successors_take_over_without_a_failed_request() {
    replace(50, "1");
}

#[test]
fn successors_with_several_workers_take_over_without_a_failed_request() {
    replace(10, "2");
}

#[test]
fn a_connection_that_was_made_before_the_listener_closed_may_still_ask() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let (mut idle, mut fresh) = (proxy.client(), proxy.client());
    idle.get("/");
    proxy.program.signal(Signal::TERM);
    assert!(idle.is_closed());
    let answer = fresh.get("/");
    assert_eq!((answer.status, header(&answer.head, "connection")), (200, Some("close")));
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_head_that_has_begun_may_end_after_the_drain() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let (mut idle, mut begun) = (proxy.client(), proxy.client());
    idle.get("/");
    begun.get("/");
    begun.send("GET / HTTP/1.1\r\nHo");
    // Bytes that were sent before are read before this is answered.
    idle.get("/");
    proxy.program.signal(Signal::TERM);
    assert!(idle.is_closed());
    begun.send("st: a\r\n\r\n");
    let answer = begun.answer();
    assert_eq!((answer.status, header(&answer.head, "connection")), (200, Some("close")));
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn outbound_serves_an_idle_app_until_its_end_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let done = directory.path().join("done");
    let upstream = Upstream::answering(OK);
    let watched = ["--direction", "outbound", "--drain-delay", "20s", "--exit-with-file", done.to_str().unwrap()];
    let proxy = Proxy::start(&upstream, &watched);
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    // An app that is busy with something else has no connection for longer than the second that would end a proxy without a watch.
    thread::sleep(Duration::from_millis(2500));
    let mut app = proxy.client();
    let answer = app.get("/");
    assert_eq!((answer.status, header(&answer.head, "connection")), (200, None));
    std::fs::write(&done, "").unwrap();
    assert!(app.is_closed());
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.elapsed < Duration::from_secs(20), "{:?}", ended.elapsed);
}

#[test]
fn an_app_that_stays_without_a_request_leaves_nothing_undone_at_the_deadline() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--direction", "outbound", "--shutdown-timeout", "3s"]);
    let (mut idle, mut unused) = (proxy.client(), proxy.client());
    idle.get("/");
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    assert!(idle.is_closed() && unused.is_closed());
    assert!(start.elapsed() > Duration::from_secs(2), "{:?}", start.elapsed());
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_download_that_is_longer_than_the_stop_makes_it_75() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while connection.try_write("1\r\nx\r\n") {
            thread::sleep(Duration::from_millis(20));
        }
    });
    for direction in ["inbound", "outbound"] {
        let proxy = Proxy::start(&upstream, &["--direction", direction, "--shutdown-timeout", "2s"]);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.head().unwrap().starts_with("HTTP/1.1 200 "));
        proxy.program.signal(Signal::TERM);
        let ended = proxy.program.end();
        assert_eq!(ended.code, Some(75), "{ended:#?}");
        assert!(format!("{:?}", ended.log.last()).contains("1 requests"), "{ended:#?}");
        // The client can tell that its download is not whole.
        assert!(!client.rest().ends_with("0\r\n\r\n"));
    }
}

#[test]
fn clients_that_go_on_connecting_do_not_delay_the_end() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--drain-delay", "500ms"]);
    let address = proxy.address;
    let served = Arc::new(AtomicUsize::new(0));
    let counter = served.clone();
    let clients = thread::spawn(move || {
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            // A connection may be reset only when the listener is gone, and then the next attempt fails.
            match crate::client::Client::of(stream).try_get("/") {
                Some(answer) => assert_eq!(answer.status, 200),
                None => break,
            }
            counter.fetch_add(1, SeqCst);
        }
    });
    harness::until("clients come and go", || (served.load(SeqCst) > 50).then_some(()));
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    harness::assert_at_once(start);
    clients.join().unwrap();
}
