//! Answers of the upstream that are early, framed oddly, or read slowly.

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

/// Requests in flight and connections of clients
fn in_use(proxy: &Proxy) -> (u64, u64) {
    let of = |name: &str| proxy.metric(&format!("{name}{{listener=\"127.0.0.1:0\"}}"));
    (of("http_server_active_requests"), of("sidekit_proxy_connections"))
}

#[test]
fn the_rest_of_a_body_is_never_read_as_a_request() {
    // Answers at once, and closes when the client's connection has long been without a request in flight.
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write(OK);
        thread::sleep(Duration::from_millis(2500));
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx");
    assert_eq!(client.answer().status, 200);
    upstream.wait_for_closed(1);
    client.try_send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.rest(), "");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn an_upstream_that_answers_and_never_reads_the_body_holds_nothing() {
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write(OK);
        // Longer than the test waits
        thread::sleep(Duration::from_secs(600));
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let mut writer = client.writer();
    let sending = thread::spawn(move || while std::io::Write::write_all(&mut writer, &[b'x'; 8192]).is_ok() {});
    let start = Instant::now();
    harness::until("the connection is given up", || (in_use(&proxy) == (0, 0)).then_some(()));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    sending.join().unwrap();
}

#[test]
fn a_client_that_reads_slowly_has_no_more_time_than_another() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        let block = vec![b'x'; 100_000];
        (0..1000).for_each(|_| connection.write(&block));
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "1s"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let start = Instant::now();
    let mut reader = client.writer();
    harness::until("the request has ended", || {
        // A little now and then, so that the client never seems to have stopped.
        reader.read_exact(&mut [0; 100]).unwrap();
        (in_use(&proxy).0 == 0).then_some(())
    });
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[test]
fn a_length_is_passed_on_once_and_in_digits() {
    for (lengths, status) in [
        ("Content-Length: 2, 2", 200),
        ("Content-Length: 002", 200),
        ("Content-Length: 2\r\nContent-Length: 2", 200),
        ("Content-Length: +2", 502),
        ("Content-Length: 2\r\nContent-Length: 3", 502),
    ] {
        for method in ["GET", "HEAD"] {
            let upstream = Upstream::start(move |connection| {
                connection.request();
                connection.write(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n"));
                connection.write(if method == "HEAD" { "" } else { "ok" });
            });
            let proxy = Proxy::start(&upstream, &[]);
            let mut client = proxy.client();
            client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
            let head = client.head().unwrap();
            assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()), "{lengths}: {head}");
            if status == 200 {
                assert_eq!(header(&head, "content-length"), Some("2"), "{lengths}: {head}");
            }
        }
    }
}

#[test]
fn a_length_of_a_request_goes_on_in_plain_digits() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 002\r\n\r\nhi");
    assert_eq!(client.answer().status, 200);
    assert_eq!(header(&upstream.only(), "content-length"), Some("2"));
}

#[test]
fn to_http_1_0_a_body_without_a_length_ends_with_the_connection() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = client.head().unwrap();
    assert_eq!((header(&head, "connection"), header(&head, "transfer-encoding")), (Some("close"), None), "{head}");
    assert_eq!(client.rest(), "ok");
}

#[test]
fn a_client_that_is_too_slow_for_the_request_timeout_is_told_so() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--request-timeout", "1s"]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!((client.answer().status, proxy.refusals("slow-body")), (408, 1));
}

#[test]
fn a_client_that_goes_leaves_nothing_behind_in_any_phase() {
    let upstream = Upstream::start(|connection| {
        let Some(head) = connection.head() else { return };
        if head.contains("/half") {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        }
        // Ends when the proxy lets go of the connection.
        let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
    });
    let proxy = Proxy::start(&upstream, &[]);
    let phases = [
        "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /half HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
        "POST /half HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "GET / HT",
    ];
    for (nth, bytes) in phases.iter().enumerate() {
        let mut client = proxy.client();
        client.send(bytes);
        if bytes.contains("/half") {
            client.head();
            client.bytes(4);
        } else if bytes.contains("/silent") {
            upstream.wait_for_requests(nth + 1);
        }
        drop(client);
        harness::until("nothing is in use", || (in_use(&proxy) == (0, 0)).then_some(()));
        upstream.wait_for_closed(upstream.connections());
    }
    proxy.stop();
}

#[test]
fn a_connection_is_used_again_after_trailers() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
        assert_eq!(client.answer().body, "ok");
    }
    assert_eq!(upstream.connections(), 1);
}
