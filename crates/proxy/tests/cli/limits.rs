//! Bounds: of heads, times, requests and connections.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

#[test]
fn heads_that_are_too_large_are_431() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--max-header-size", "8KiB", "--max-headers", "20"]);
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(30));
    for (nth, bytes) in [long, many].iter().enumerate() {
        let mut client = proxy.client();
        client.try_send(bytes);
        let answer = client.answer();
        let status = header(&answer.head, "proxy-status").unwrap_or_default();
        assert!(answer.status == 431 && status.ends_with("details=\"head-too-large\""), "{nth}: {answer:?}");
        harness::until("it is counted", || (proxy.refusals("head-too-large") == nth as u64 + 1).then_some(()));
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn a_head_that_does_not_end_is_408_and_a_silent_client_is_closed() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--header-timeout", "300ms", "--idle-timeout", "500ms"]);
    let mut slow = proxy.client();
    slow.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(slow.answer().status, 408);
    assert_eq!(proxy.refusals("slow-head"), 1);
    let start = Instant::now();
    assert!(proxy.client().is_closed());
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
    // The same after a request: the time for a head does not count while nothing comes.
    let mut kept = proxy.client();
    kept.get("/");
    let start = Instant::now();
    assert!(kept.is_closed());
    assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
}

#[test]
fn the_time_for_a_head_does_not_run_while_an_earlier_request_is_answered() {
    let upstream = Upstream::start(|connection| {
        while connection.request().is_some() {
            std::thread::sleep(Duration::from_millis(1200));
            connection.write(OK);
        }
    });
    let proxy = Proxy::start(&upstream, &["--header-timeout", "500ms"]);
    let mut client = proxy.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3");
    assert_eq!([client.answer().status, client.answer().status], [200, 200]);
    // Then the third head has its time.
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_small_limit_of_open_files_leaves_some_for_upstreams_and_health() {
    let upstream = Upstream::answering(OK);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 64 && exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_proxy"),
        "--health-addr",
        "127.0.0.1:0",
    ]);
    command.args(["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--drain-delay", "0s"]);
    let proxy = Proxy::of(&mut command);
    // The connections that find no room wait in the listener's queue.
    let mut clients: Vec<_> = (0..60).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    harness::until("the limit is met", || {
        (proxy.metric("sidekit_proxy_limits_met_total{limit=\"max-connections\"}") > 0).then_some(())
    });
    assert_eq!(harness::http::get(proxy.health, "/livez").status, 200);
    for mut client in clients {
        assert_eq!(client.answer().status, 200);
    }
    let text = format!("{:?}", proxy.stop().log);
    assert!(text.contains("allows fewer connections"), "{text}");
}

#[test]
fn a_connection_is_kept_while_it_is_idle_and_used_again() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--header-timeout", "2s"]);
    let mut client = proxy.client();
    for _ in 0..2 {
        assert_eq!(client.get("/").status, 200);
        // Longer than the proxy keeps its buffers, and than a head may take.
        std::thread::sleep(Duration::from_millis(2500));
    }
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn too_many_requests_at_once_are_503_with_a_time_to_come_again() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        std::thread::sleep(Duration::from_secs(30));
    });
    let proxy = Proxy::start(&upstream, &["--max-requests", "2"]);
    let mut waiting = [proxy.client(), proxy.client()];
    for client in &mut waiting {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    upstream.wait_for_requests(2);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, header(&answer.head, "retry-after")), (503, Some("1")));
    assert_eq!(proxy.refusals("too-many-requests"), 1);
}

#[test]
fn connections_over_the_limit_wait_until_another_one_has_gone() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--max-connections", "2"]);
    let (mut first, mut second) = (proxy.client(), proxy.client());
    first.get("/");
    second.get("/");
    let mut third = proxy.client();
    third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(upstream.requests().len(), 2);
    drop(first);
    assert_eq!(third.answer().status, 200);
}

#[test]
fn an_upstream_that_hangs_is_504() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        std::thread::sleep(Duration::from_secs(30));
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "300ms"]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-silent")), (504, 1));
}

#[test]
fn an_answer_that_stalls_is_broken_off_at_the_requests_deadline() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        std::thread::sleep(Duration::from_secs(30));
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "2s"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    client.bytes(4);
    assert!(client.is_closed());
}

/// Bytes of memory that the proxy uses
fn resident(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.program.id())).unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")).unwrap();
    kilobytes.trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn an_idle_connection_that_was_used_has_no_buffer() {
    const COUNT: u64 = 200;
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let (mut clients, mut each) = (Vec::new(), 0);
    // What the first ones leave to the allocator is used by the last ones.
    for _ in 0..3 {
        let before = resident(&proxy);
        for _ in 0..COUNT {
            let mut client = proxy.client();
            client.get("/");
            clients.push(client);
        }
        // The proxy keeps the buffers of a connection for a second after its last request.
        std::thread::sleep(Duration::from_millis(1500));
        each = resident(&proxy).saturating_sub(before) / COUNT;
    }
    assert!(each < 4096, "{each} bytes a connection");
}

#[test]
fn an_idle_connection_has_no_buffer() {
    const COUNT: u64 = 500;
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let open = "sidekit_proxy_connections{listener=\"127.0.0.1:0\"}";
    // The first of everything costs more: code that is loaded, tables that grow.
    for _ in 0..50 {
        proxy.client().get("/");
        proxy.metric(open);
    }
    let before = resident(&proxy);
    let clients: Vec<_> = (0..COUNT).map(|_| proxy.client()).collect();
    harness::until("all are open", || (proxy.metric(open) >= COUNT).then_some(()));
    let each = resident(&proxy).saturating_sub(before) / COUNT;
    assert!(each < 4096, "{each} bytes a connection");
    drop(clients);
}

#[test]
fn a_client_that_reads_nothing_is_reset_so_that_the_kernel_keeps_nothing_for_it() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        let block = vec![b'x'; 100_000];
        (0..1000).for_each(|_| connection.write(&block));
    });
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "700ms"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let port = client.writer().local_addr().unwrap().port();
    harness::until("the bound is met", || {
        (proxy.metric("sidekit_proxy_limits_met_total{limit=\"idle-timeout\"}") == 1).then_some(())
    });
    // The proxy's side of the connection, as the kernel lists it: local and remote address in hexadecimal digits
    let (ours, theirs) = (format!(":{:04X}", proxy.address.port()), format!(":{port:04X}"));
    let start = Instant::now();
    harness::until("the kernel has forgotten it", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        (!rows.any(|row| row.len() > 3 && row[1].ends_with(&ours) && row[2].ends_with(&theirs))).then_some(())
    });
    // By itself the kernel would try for 50 s to send the rest.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_body_that_comes_too_slowly_is_408() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--min-body-rate", "1000"]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    let (mut writer, start) = (client.writer(), Instant::now());
    let sending = std::thread::spawn(move || {
        // A hundredth of what is asked for
        while std::io::Write::write_all(&mut writer, b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!((client.answer().status, proxy.refusals("slow-body")), (408, 1));
    assert!((9..20).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(proxy.metric("sidekit_proxy_limits_met_total{limit=\"min-body-rate\"}"), 1);
    drop(client);
    sending.join().unwrap();
}
