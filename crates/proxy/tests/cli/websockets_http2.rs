//! A WebSocket on a stream of HTTP/2 (RFC 8441) towards an upstream of HTTP/1.1.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::body::Bytes;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::{
    certificates::Secret,
    http2_client::{Http2, Http2Tunnel},
    raw_http2::{self, End, GOAWAY, RST_STREAM, Raw, frame, request},
    support::{OK, Proxy, Signal},
    upstream::{Connection, Upstream},
    websocket::{CHANGED, GOING_AWAY, chat, masked, plain},
};

const LINES: [(&str, &str); 4] = [
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat, other"),
    ("sec-websocket-extensions", "permessage-deflate"),
    ("origin", "http://app"),
];

/// The value of a header of a request, as it was written
fn value<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name));
    request.lines().find_map(line).map(|(_, value)| value)
}

/// The answer with the right key, as a server of HTTP/1.1 gives it; nothing to a plain request
fn changed(request: &str) -> Option<String> {
    let key = value(request, "sec-websocket-key")?;
    let answer = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    Some(CHANGED.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &BASE64_STANDARD.encode(answer)))
}

/// Answers a request; `false` if it is a plain one.
fn change(connection: &mut Connection) -> bool {
    let request = connection.request().unwrap();
    let answer = changed(&request);
    connection.write(answer.as_deref().unwrap_or(OK));
    answer.is_some()
}

fn chatting() -> Upstream {
    Upstream::start(|connection| {
        assert!(change(connection));
        assert_eq!(chat(connection).as_deref(), Some(&[3, 0xe9][..]));
    })
}

/// A proxy with TLS in front, and a client of it
fn start(upstream: &Upstream, more: &[&str]) -> (Proxy, Http2) {
    let secret = Secret::with(&["app"]);
    let arguments = secret.arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let proxy = Proxy::start(upstream, &arguments);
    let mut client = Http2::with_tls(proxy.address, "app", &secret.root);
    client.until_it_may_connect();
    (proxy, client)
}

fn send(tunnel: &mut Http2Tunnel, bytes: Vec<u8>, is_last: bool) {
    tunnel.sender.send_data(Bytes::from(bytes), is_last).unwrap();
}

fn tunnels(proxy: &Proxy) -> u64 {
    proxy.counted("sidekit_proxy_tunnels")
}

#[test]
fn each_stream_is_a_websocket_with_a_key_of_its_own() {
    let upstream = chatting();
    let (proxy, mut client) = start(&upstream, &["--access-log", "json"]);
    let mut both = [client.connect("/chat?a=b", "websocket", &LINES), client.connect("/chat", "WebSocket", &LINES)];
    for tunnel in &mut both {
        assert_eq!(tunnel.head.status, 200);
        let mut names: Vec<_> = tunnel.head.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["date", "sec-websocket-protocol", "via"]);
        send(tunnel, masked(1, b"hello"), false);
        assert_eq!(client.read(tunnel, 7), plain(1, b"hello"));
    }
    assert_eq!((tunnels(&proxy), proxy.active(), upstream.connections()), (2, 2, 2));
    for tunnel in &mut both {
        send(tunnel, masked(8, &GOING_AWAY[2..]), true);
        assert_eq!(client.read(tunnel, 100), GOING_AWAY);
    }
    harness::until("the tunnels have ended", || (tunnels(&proxy) == 0 && proxy.active() == 0).then_some(()));
    // The connection goes on.
    assert_eq!(client.connect("/chat", "websocket", &LINES).head.status, 200);
    let requests = upstream.requests();
    assert!(requests[0].starts_with("GET /chat?a=b HTTP/1.1\r\n"), "{requests:#?}");
    for (name, value_of_it) in
        LINES.iter().chain(&[("host", "app"), ("upgrade", "websocket"), ("connection", "upgrade")])
    {
        assert_eq!(value(&requests[0], name), Some(*value_of_it), "{requests:#?}");
    }
    let keys: Vec<_> = requests.iter().map(|request| value(request, "sec-websocket-key").unwrap()).collect();
    assert!(keys[0] != keys[1] && keys[0].len() == 24, "{keys:?}");
    drop(client);
    let log = proxy.stop().stdout;
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["http.response.status_code"], &line["http.response.body.size"]),
        (&200.into(), &11.into()),
        "{log}"
    );
}

#[test]
fn no_other_answer_opens_a_tunnel() {
    let upstream = Upstream::start(|connection| {
        let request = connection.request().unwrap();
        match &request {
            text if text.contains("/plain") => connection.write(OK),
            text if text.contains("/missing") => {
                connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
            }
            // The answer to another key
            _ => connection.write(CHANGED),
        }
        assert_eq!(connection.request(), None, "the proxy ends the connection");
    });
    let (proxy, mut client) = start(&upstream, &[]);
    for (path, status) in [("/plain", 502), ("/wrong", 502), ("/missing", 404)] {
        let mut tunnel = client.connect(path, "websocket", &LINES);
        assert_eq!(tunnel.head.status, status, "{path}");
        if status == 404 {
            assert_eq!(client.read(&mut tunnel, 4), b"gone");
        }
    }
    assert_eq!((proxy.refusals("upstream-broken"), tunnels(&proxy)), (2, 0));
    upstream.wait_for_closed(3);
}

#[test]
fn other_protocols_are_not_known() {
    let upstream = Upstream::answering(OK);
    let (proxy, mut client) = start(&upstream, &[]);
    let tunnel = client.connect("/", "connect-udp", &LINES);
    assert_eq!((tunnel.head.status.as_u16(), proxy.refusals("unknown-protocol")), (501, 1));
    assert!(client.get("/").is_ok());
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_client_or_an_upstream_that_goes_ends_the_stream() {
    let upstream = Upstream::start(|connection| {
        if change(connection) && connection.number == 0 {
            assert_eq!(chat(connection), None);
        }
    });
    let (proxy, mut client) = start(&upstream, &[]);
    let mut first = client.connect("/", "websocket", &LINES);
    let mut second = client.connect("/", "websocket", &LINES);
    assert_eq!(client.read(&mut second, 1), b"");
    send(&mut second, Vec::new(), true);
    first.sender.send_reset(h2::Reason::CANCEL);
    assert!(client.get("/").is_ok());
    upstream.wait_for_closed(3);
    harness::until("the tunnels have ended", || (tunnels(&proxy) == 0 && proxy.active() == 0).then_some(()));
}

/// A reset of the stream would throw away bytes that HTTP/2 has not sent yet.
#[test]
fn a_client_has_the_last_bytes_of_an_upstream_that_resets_its_connection() {
    let upstream = Upstream::start(|connection| {
        let answer = changed(&connection.request().unwrap()).unwrap();
        connection.write([answer.as_bytes(), &plain(1, b"last"), &plain(8, &[3, 0xe8])].concat());
        socket2::SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let (proxy, mut client) = start(&upstream, &["--access-log", "json"]);
    let mut tunnel = client.connect("/", "websocket", &LINES);
    let all = [plain(1, b"last"), plain(8, &[3, 0xe8])].concat();
    assert_eq!(client.read(&mut tunnel, all.len() + 1), all, "and the end of the stream");
    drop(client);
    assert_eq!(proxy.stop().stdout.matches("\"error.type\":\"answer-cut\"").count(), 1);
}

/// The reset and the upstream's answer come at once, so the client never hears of the tunnel.
#[test]
fn a_client_that_goes_before_the_tunnel_is_open_is_named() {
    let (answer, go_on) = mpsc::channel();
    let go_on = Mutex::new(go_on);
    let upstream = Upstream::start(move |connection| {
        let request = connection.request().unwrap();
        go_on.lock().unwrap().recv().unwrap();
        connection.write(changed(&request).unwrap());
        connection.request();
    });
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    let mut raw = Raw::new(proxy.address);
    let connect = [(":method", "CONNECT"), (":protocol", "websocket")];
    raw.send(raw_http2::head(1, &[&connect, &request("", "/")[1..], &LINES[..1]].concat(), 0));
    upstream.wait_for_requests(1);
    proxy.program.signal(Signal::STOP);
    raw.send(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    answer.send(()).unwrap();
    proxy.program.signal(Signal::CONT);
    harness::until("the tunnel has ended", || (tunnels(&proxy) == 0 && proxy.active() == 0).then_some(()));
    let log = proxy.stop().stdout;
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!(line["error.type"], "client-gone", "{log}");
}

/// hyper gives up the whole connection, and the other requests on it with it.
#[test]
fn a_connect_that_announces_a_body_is_named_as_the_connections_end() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.request();
    });
    let proxy = Proxy::start(&upstream, &[]);
    for has_other in [false, true] {
        let mut raw = Raw::new(proxy.address);
        if has_other {
            raw.send(raw_http2::get(1, "/"));
            upstream.wait_for_requests(1);
        }
        raw.send(raw_http2::head(3, &[(":method", "CONNECT"), (":authority", "app:80"), ("content-length", "5")], 0));
        assert_eq!(raw.end(), End::GoAway(raw_http2::PROTOCOL_ERROR));
        let expected = 1 + u64::from(has_other);
        harness::until("it is counted", || (proxy.refusals("bad-head") == expected).then_some(()));
    }
    // A client that ends its connection has done nothing wrong.
    let mut raw = Raw::new(proxy.address);
    raw.send(raw_http2::frame(GOAWAY, 0, 0, &[0; 8]));
    raw.end();
    assert_eq!(proxy.refusals("bad-head"), 2);
}

#[test]
fn a_drain_closes_them_and_the_connection_ends_behind_the_last() {
    let upstream = chatting();
    let (proxy, mut client) = start(&upstream, &[]);
    let mut tunnel = client.connect("/", "websocket", &LINES);
    proxy.program.signal(Signal::TERM);
    assert_eq!(client.read(&mut tunnel, 4), GOING_AWAY);
    send(&mut tunnel, masked(8, &GOING_AWAY[2..]), true);
    assert_eq!(client.read(&mut tunnel, 1), b"");
    upstream.wait_for_closed(1);
    let _ = client.ended();
    assert_eq!(proxy.program.end().code, Some(0));
}
