//! Requests for another protocol: a tunnel opens only where the upstream changes to it, and bytes behind the wish are never a request.
//!
//! Long because each way to ask, to answer and to end is a story.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    client::{Client, header},
    support::{OK, Proxy, Signal},
    upstream::{Connection, Upstream},
};

/// A wish for the protocol `echo`
const WISH: &str = "GET /echo HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const CHANGED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: Echo\r\nX-From: app\r\n\r\n";
/// A request that must reach no upstream
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n";

/// Sends back all that comes, until the other side ends.
fn echo(connection: &mut Connection) {
    let mut room = [0; 16 * 1024];
    let early = connection.rest_of_read();
    let _ = connection.stream.write_all(&early);
    while let Ok(length @ 1..) = connection.stream.read(&mut room) {
        if connection.stream.write_all(&room[..length]).is_err() {
            return;
        }
    }
}

/// An upstream that changes to `echo`
fn echoing() -> Upstream {
    Upstream::start(|connection| {
        if connection.request().is_some() {
            connection.write(CHANGED);
            echo(connection);
        }
    })
}

/// An open tunnel
#[track_caller]
fn open(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    client.send(WISH);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

fn tunnels(proxy: &Proxy) -> u64 {
    proxy.counted("sidekit_proxy_tunnels")
}

#[test]
fn bytes_pass_both_ways_and_each_side_ends_by_itself() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write([CHANGED, "hello"].concat());
        echo(connection);
        // The other direction goes on after the client's end.
        thread::sleep(Duration::from_millis(100));
        connection.write("bye");
    });
    let proxy = Proxy::start(&upstream, &["--access-log", "json", "--request-timeout", "300ms"]);
    let mut client = proxy.client();
    client.send([WISH, "early"].concat());
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!((header(&head, "connection"), header(&head, "upgrade")), (Some("upgrade"), Some("Echo")));
    assert_eq!((header(&head, "x-from"), header(&head, "via")), (Some("app"), Some("1.1 sidekit-proxy")));
    assert_eq!(client.bytes(10), "helloearly");
    let request = upstream.only().to_lowercase();
    assert!(request.contains("\r\nconnection: upgrade\r\n") && request.contains("\r\nupgrade: echo\r\n"), "{request}");
    assert!(request.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{request}");
    // Longer than a request may take
    thread::sleep(Duration::from_millis(1500));
    assert_eq!((tunnels(&proxy), proxy.active()), (1, 1));
    client.send(SMUGGLED);
    assert_eq!(client.bytes(SMUGGLED.len()), SMUGGLED);
    client.writer().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "bye");
    harness::until("the tunnel has ended", || (tunnels(&proxy) == 0 && proxy.active() == 0).then_some(()));
    let bytes =
        |direction| format!("sidekit_proxy_tunnel_bytes_total{{direction=\"{direction}\",listener=\"127.0.0.1:0\"}}");
    let through = SMUGGLED.len() as u64 + 5;
    assert_eq!((proxy.metric(&bytes("received")), proxy.metric(&bytes("sent"))), (through, through + 8));
    let log = proxy.stop().stdout;
    let line: Value = serde_json::from_str(log.trim()).unwrap();
    assert_eq!((&line["http.response.status_code"], &line["url.path"]), (&101.into(), &"/echo".into()), "{line}");
    assert_eq!(
        (&line["http.response.body.size"], &line["error.type"]),
        (&(through + 8).into(), &Value::Null),
        "{line}"
    );
    assert!(line["duration_seconds"].as_f64().unwrap() > 1.5, "{line}");
}

#[test]
fn the_metric_of_requests_has_the_time_to_the_change() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &[]);
    let client = open(&proxy);
    let page = harness::http::get(proxy.health, "/metrics").body;
    let count = "http_server_request_duration_seconds_count{error_type=\"\",http_request_method=\"GET\",\
                 http_response_status_code=\"101\",http_route=\"default\",listener=\"127.0.0.1:0\",url_scheme=\"http\"} 1";
    assert!(page.contains(count), "{page}");
    drop(client);
    harness::until("the tunnel has ended", || (tunnels(&proxy) == 0).then_some(()));
    assert!(harness::http::get(proxy.health, "/metrics").body.contains(count));
}

#[test]
fn bytes_behind_a_refused_wish_are_no_request() {
    let long = format!("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\r\n0\r\n\r\n", "bad");
    for (answer, status) in [
        (OK, 200),
        (
            "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: other/2\r\nUpgrade: other/1\r\n\
             Content-Length: 0\r\n\r\n",
            426,
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", 404),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", 304),
        (&long, 400),
    ] {
        let answer = answer.to_owned();
        let upstream = Upstream::start(move |connection| {
            while connection.request().is_some() {
                connection.write(&answer);
            }
        });
        let proxy = Proxy::start(&upstream, &[]);
        // With the wish, and when its answer has come
        let (mut early, mut late) = (proxy.client(), proxy.client());
        early.send([WISH, SMUGGLED].concat());
        late.send(WISH);
        for client in [&mut early, &mut late] {
            let head = client.head().unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            // An answer 426 says which protocols it needs.
            assert_eq!(head.to_lowercase().matches("\r\nupgrade: other/").count(), if status == 426 { 2 } else { 0 });
            let (connection, needed) =
                if status == 426 { ("upgrade, close", Some("other/2")) } else { ("close", None) };
            assert_eq!((header(&head, "connection"), header(&head, "upgrade")), (Some(connection), needed), "{head}");
        }
        late.try_send(SMUGGLED);
        assert!(!early.rest().contains("HTTP/1.1") && !late.rest().contains("HTTP/1.1"));
        assert_eq!(proxy.client().get("/").status, status);
        let requests = upstream.requests();
        assert!(requests.len() == 3 && !requests.concat().contains("smuggled"), "{requests:#?}");
        // No request comes over the connection of another's wish.
        assert_eq!(upstream.connections(), 3);
    }
}

#[test]
fn a_change_that_was_not_asked_for_ends_both_connections() {
    let changes = [
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nevil",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo, other\r\n\r\nevil",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\nevil",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\nevil",
        "HTTP/1.1 101 Switching Protocols\r\n\r\nevil",
        "HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nevil",
    ];
    for change in changes {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write(change);
            assert_eq!(connection.request(), None, "the proxy ends the connection");
        });
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        client.send([WISH, SMUGGLED].concat());
        let answer = client.answer();
        assert_eq!((answer.status, header(&answer.head, "connection")), (502, Some("close")), "{change}: {answer:#?}");
        assert_eq!((client.rest().as_str(), tunnels(&proxy)), ("", 0), "{change}");
        upstream.wait_for_closed(1);
        assert_eq!((upstream.requests().len(), proxy.refusals("upstream-broken")), (1, 1), "{change}");
    }
}

#[test]
fn a_change_without_a_wish_is_no_answer() {
    let upstream = Upstream::start(|connection| {
        while connection.request().is_some() {
            connection.write(CHANGED);
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-broken"), tunnels(&proxy)), (502, 1, 0));
}

#[test]
fn a_body_stands_before_no_tunnel() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &[]);
    for framing in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let mut client = proxy.client();
        let head = WISH.strip_suffix("\r\n").unwrap();
        client.send([head, framing, SMUGGLED].concat());
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (400, "400 Bad Request: upgrade-with-body\n"), "{framing}");
        assert!(client.is_closed());
    }
    assert_eq!(upstream.connections(), 0);
    // A length of nothing is no body.
    let mut client = proxy.client();
    client.send(WISH.replace("GET", "POST").replace("Host", "Content-Length: 0\r\nHost"));
    assert!(client.head().unwrap().starts_with("HTTP/1.1 101 "));
}

#[test]
fn a_wish_that_is_none_is_a_plain_request() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let requests = [
        "GET / HTTP/1.1\r\nHost: app\r\nUpgrade: echo\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
    ];
    let mut client = proxy.client();
    for request in requests {
        client.send(request);
        let answer = client.answer();
        // The connection goes on.
        assert_eq!((answer.status, header(&answer.head, "connection")), (200, None), "{request}");
    }
    let mut old = proxy.client();
    old.send(WISH.replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(old.answer().status, 200);
    let heard = upstream.requests().concat().to_lowercase();
    assert!(!heard.contains("upgrade") && !heard.contains("http2-settings"), "{heard}");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn of_several_protocols_the_upstream_chooses_one() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(WISH.replace("Upgrade: echo", "Upgrade: h2c, other/2\r\nUpgrade: ECHO"));
    let head = client.head().unwrap();
    assert_eq!(header(&head, "upgrade"), Some("Echo"), "{head}");
    assert!(upstream.only().to_lowercase().contains("\r\nupgrade: other/2, echo\r\n"));
}

#[test]
fn a_side_that_goes_ends_the_other() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    let client = open(&proxy);
    socket2::SockRef::from(&client.writer()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    upstream.wait_for_closed(1);
    let gone = Upstream::start(|connection| {
        connection.request();
        connection.write(CHANGED);
        socket2::SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let other = Proxy::start(&gone, &["--access-log", "json"]);
    let mut client = open(&other);
    assert_eq!(client.rest(), "");
    for (proxy, reason) in [(proxy, "client-gone"), (other, "answer-cut")] {
        harness::until("the tunnel has ended", || (tunnels(&proxy) == 0 && proxy.active() == 0).then_some(()));
        let log = proxy.stop().stdout;
        let line: Value = serde_json::from_str(log.trim()).unwrap();
        assert_eq!((&line["http.response.status_code"], &line["error.type"]), (&101.into(), &reason.into()), "{line}");
    }
}

#[test]
fn a_client_that_goes_before_the_change_is_no_tunnel() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        assert_eq!(connection.request(), None, "the proxy ends the connection");
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(WISH);
    upstream.wait_for_requests(1);
    drop(client);
    upstream.wait_for_closed(1);
    harness::until("nothing is in flight", || (proxy.active() == 0).then_some(()));
}

#[test]
fn the_change_must_come_within_the_time_of_a_request() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        let _ = connection.request();
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "500ms"]);
    let mut client = proxy.client();
    client.send([WISH, SMUGGLED].concat());
    let answer = client.answer();
    assert_eq!((answer.status, header(&answer.head, "connection")), (504, Some("close")), "{answer:#?}");
    assert!(client.is_closed());
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_side_that_does_not_read_holds_the_other_and_no_memory() {
    const MUCH: usize = 32 * 1024 * 1024;
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(CHANGED);
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..MUCH / chunk.len() {
            if connection.stream.write_all(&chunk).is_err() {
                return;
            }
        }
        connection.stream.shutdown(Shutdown::Write).unwrap();
        // The other direction, which the client does not read until it waits
        thread::sleep(Duration::from_millis(500));
        let mut left = MUCH;
        let mut room = vec![0; 64 * 1024];
        while left > 0 {
            let length = connection.stream.read(&mut room).unwrap();
            assert!(length > 0, "{left} bytes are missing");
            left -= length;
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let before = crate::hostile::resident(&proxy);
    let mut client = open(&proxy);
    thread::sleep(Duration::from_millis(500));
    assert!(crate::hostile::resident(&proxy) < before + 3_000_000);
    assert_eq!(client.rest().len(), MUCH);
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..MUCH / chunk.len() {
        client.send(&chunk);
    }
    assert!(crate::hostile::resident(&proxy) < before + 3_000_000);
    upstream.wait_for_closed(1);
}

#[test]
fn a_tunnel_without_bytes_ends() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &["--tunnel-timeout", "1s"]);
    let mut client = open(&proxy);
    let start = Instant::now();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(600));
        client.send("x");
        assert_eq!(client.bytes(1), "x");
    }
    assert_eq!(client.rest(), "");
    assert!((2500..4000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    upstream.wait_for_closed(1);
    assert_eq!(proxy.metric("sidekit_proxy_limits_met_total{limit=\"tunnel-timeout\"}"), 1);
}

#[test]
fn a_tunnel_is_a_request_in_flight() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &["--max-requests", "1"]);
    let tunnel = open(&proxy);
    assert_eq!(proxy.client().get("/").status, 503);
    drop(tunnel);
    harness::until("nothing is in flight", || (proxy.active() == 0).then_some(()));
    open(&proxy);
}

#[test]
fn an_unknown_protocol_lasts_until_the_deadline_of_a_stop() {
    let upstream = echoing();
    let proxy = Proxy::start(&upstream, &["--shutdown-timeout", "3s", "--access-log", "json"]);
    let mut client = open(&proxy);
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    while start.elapsed() < Duration::from_secs(2) {
        client.send("x");
        assert_eq!(client.bytes(1), "x");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(client.rest(), "");
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(start.elapsed() < Duration::from_millis(3500), "{:?}", start.elapsed());
    let line: Value = serde_json::from_str(ended.stdout.trim()).unwrap();
    assert_eq!(line["error.type"], "drain-deadline", "{line}");
}
