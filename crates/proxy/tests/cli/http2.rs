//! HTTP/2 towards clients: the promises of HTTP/1.1, stream by stream.

use std::{thread, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request};

use crate::{
    http2_client::{Http2, get, post},
    raw_http2::{self, DATA, END_STREAM, End, PROTOCOL_ERROR, Raw, SETTINGS, frame, head, request},
    support::{OK, Proxy},
    upstream::Upstream,
};

fn start(arguments: &[&str]) -> (Upstream, Proxy) {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, arguments);
    (upstream, proxy)
}

#[test]
fn prior_knowledge_is_recognised_beside_http_1() {
    let (upstream, proxy) = start(&[]);
    let mut client = Http2::new(proxy.address);
    let answer = client.get("/a?b=c");
    assert_eq!((answer.status, answer.body.as_str(), answer.header("via")), (200, "ok", "1.1 sidekit-proxy"));
    assert!(answer.headers.contains_key("date"));
    let sent = upstream.only();
    assert!(sent.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{sent}");
    let lower = sent.to_lowercase();
    for line in ["host: app", "via: 2 sidekit-proxy", "x-forwarded-host: app", "x-forwarded-for: 127.0.0.1"] {
        assert!(lower.contains(&format!("\r\n{line}\r\n")), "{sent}");
    }
    assert_eq!(proxy.client().get("/").status, 200);
    // An upgrade to HTTP/2 is ignored (RFC 9113, section 3.1).
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_preface_may_come_in_pieces_and_what_only_begins_like_one_is_http_1() {
    let (_upstream, proxy) = start(&["--header-timeout", "500ms"]);
    let mut raw = Raw::silent(proxy.address);
    for byte in raw_http2::PREFACE {
        raw.send([*byte]);
    }
    raw.send(frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]));
    raw.send(raw_http2::get(1, "/"));
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    let mut client = proxy.client();
    client.send("P");
    thread::sleep(Duration::from_millis(50));
    client.send("RINT / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let mut slow = proxy.client();
    slow.send("PRI * HT");
    assert_eq!(slow.answer().status, 408);
    let mut wrong = proxy.client();
    wrong.send("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n");
    assert_eq!(wrong.answer().status, 400);
}

#[test]
fn many_streams_share_a_connection() {
    let (upstream, proxy) = start(&[]);
    let mut client = Http2::new(proxy.address);
    let streams: Vec<_> = (0..60).map(|number| client.begin(get(&format!("/{number}")), true).unwrap()).collect();
    for stream in streams {
        assert_eq!(client.answer(stream).unwrap().body, "ok");
    }
    assert_eq!(upstream.requests().len(), 60);
    assert_eq!(proxy.metric("sidekit_proxy_accepted_connections_total{listener=\"127.0.0.1:0\"}"), 1);
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    let upstream = Upstream::start(|connection| {
        while connection.request().is_some() {
            connection.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nyes\r\n0\r\nX-Sum: 7\r\nHost: b\r\n\r\n",
            );
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = Http2::new(proxy.address);
    let mut request = post("/");
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    request.headers_mut().insert("trailer", HeaderValue::from_static("x-check"));
    let mut stream = client.begin(request, false).unwrap();
    stream.sender.send_data("hello".into(), false).unwrap();
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-check"), HeaderValue::from_static("9"))]);
    stream.sender.send_trailers(trailers).unwrap();
    let answer = client.answer(stream).unwrap();
    assert_eq!((answer.body.as_str(), answer.header("transfer-encoding")), ("yes", ""));
    let trailers = answer.trailers.unwrap();
    assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &HeaderValue::from_static("7")));
    let sent = upstream.only().to_lowercase();
    assert!(sent.contains("\r\ntransfer-encoding: chunked\r\n") && sent.contains("\r\nte: trailers\r\n"), "{sent}");
    assert!(sent.ends_with("5\r\nhello\r\n0\r\nx-check: 9\r\n\r\n"), "{sent}");
}

#[test]
fn a_body_of_unknown_length_goes_with_every_method() {
    let (upstream, proxy) = start(&[]);
    let mut client = Http2::new(proxy.address);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let mut request = get("/");
        *request.method_mut() = method;
        assert_eq!(client.request(request, "body").status, 200);
    }
    let sent = upstream.requests();
    assert!(sent.len() == 3 && sent.iter().all(|request| request.ends_with("\r\n4\r\nbody\r\n0\r\n\r\n")), "{sent:#?}");
    let mut sized = post("/");
    sized.headers_mut().insert("content-length", HeaderValue::from_static("4"));
    assert_eq!(client.request(sized, "size").status, 200);
    assert!(upstream.requests()[3].to_lowercase().contains("\r\ncontent-length: 4\r\n"));
}

#[test]
fn answers_without_a_body_have_none() {
    for (method, answer, status, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n", 200, "70"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 70\r\n\r\n", 304, "70"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "0"),
    ] {
        let upstream = Upstream::answering(answer);
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = Http2::new(proxy.address);
        for _ in 0..2 {
            let request = Request::builder().method(method).uri("http://app/").body(()).unwrap();
            let answer = client.request(request, "");
            assert_eq!((answer.status, answer.body.as_str(), answer.header("content-length")), (status, "", length));
        }
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn crumbs_of_a_cookie_are_joined() {
    let (upstream, proxy) = start(&[]);
    let mut client = Http2::new(proxy.address);
    let mut request = get("/");
    for crumb in ["a=1", "b=2", "c=3"] {
        request.headers_mut().append("cookie", HeaderValue::from_static(crumb));
    }
    assert_eq!(client.request(request, "").status, 200);
    let sent = upstream.only().to_lowercase();
    assert!(sent.contains("\r\ncookie: a=1; b=2; c=3\r\n"), "{sent}");
}

#[test]
fn options_asks_for_what_it_names() {
    let (upstream, proxy) = start(&[]);
    let mut raw = Raw::new(proxy.address);
    for (stream, path) in [(1, "*"), (3, "/")] {
        raw.send(head(stream, &request("OPTIONS", path), END_STREAM));
        assert_eq!(raw.end_of(stream), End::Answer(200, b"ok".to_vec()));
    }
    let sent = upstream.requests();
    assert!(sent[0].starts_with("OPTIONS * ") && sent[1].starts_with("OPTIONS / "), "{sent:#?}");
    let mut last = Request::options("http://app/").header("max-forwards", "0").body(()).unwrap();
    let mut client = Http2::new(proxy.address);
    let answer = client.request(last.clone(), "");
    assert_eq!((answer.status, answer.header("allow").is_empty()), (204, false));
    last.headers_mut().insert("max-forwards", HeaderValue::from_static("2"));
    assert_eq!(client.request(last, "").status, 200);
    assert!(upstream.requests()[2].to_lowercase().contains("\r\nmax-forwards: 1\r\n"));
}

/// A request that is refused with an answer leaves the connection to the other streams.
#[test]
fn a_refused_request_has_its_reason_and_costs_no_connection() {
    let (upstream, proxy) = start(&["--max-headers", "10", "--max-header-size", "8KiB", "--max-body", "5"]);
    let mut client = Http2::new(proxy.address);
    let with = |name: &'static str, value: &str| {
        let mut request = get("/");
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        request
    };
    let method = |method: &str| Request::builder().method(method).uri("http://app/").body(()).unwrap();
    let mut many = get("/");
    for _ in 0..11 {
        many.headers_mut().append("x", HeaderValue::from_static("1"));
    }
    for (status, reason, request) in [
        (400, "trace", method("TRACE")),
        (400, "host-differs", with("host", "other")),
        (400, "bad-host", Request::get("http://user@app/").body(()).unwrap()),
        (400, "mimicked-header", with("x_forwarded_for", "1.1.1.1")),
        (400, "bad-head", with("x-padded", " 1")),
        (431, "head-too-large", with("x-long", &"x".repeat(9000))),
        (431, "head-too-large", many),
        (502, "loop", with("via", &vec!["2 sidekit-proxy"; 16].join(", "))),
    ] {
        let answer = client.request(request, "");
        assert_eq!((answer.status, answer.reason()), (status, reason));
        assert_eq!((answer.header("connection"), answer.body.contains(reason)), ("", true));
    }
    let answer = client.request(post("/"), "longer");
    assert_eq!((answer.status, answer.reason()), (413, "body-too-large"));
    assert_eq!(client.get("/").status, 200);
    assert_eq!((upstream.requests().len(), proxy.refusals("head-too-large")), (1, 2));
    assert_eq!(proxy.metric("sidekit_proxy_accepted_connections_total{listener=\"127.0.0.1:0\"}"), 1);
}

/// Requests that h2 refuses by itself: malformed ones (RFC 9113, section 8.1.1), each with a reset
/// of its stream.
#[test]
fn malformed_heads_reset_their_stream_and_are_counted() {
    let (upstream, proxy) = start(&[]);
    let fields = request("GET", "/");
    let with = |name: &'static str, value: &'static str| [&fields[..], &[(name, value)]].concat();
    let cases = [
        with("connection", "close"),
        with("keep-alive", "timeout=5"),
        with("proxy-connection", "close"),
        with("transfer-encoding", "chunked"),
        with("upgrade", "websocket"),
        with("te", "gzip"),
        with(":path", "/late"),
        with(":status", "200"),
        with("content-length", "5"),
        with("content-length", "x"),
        [&[("x", "early")], &fields[..]].concat(),
        fields[1..].to_vec(),
        vec![fields[0], fields[2], fields[3]],
        fields[..3].to_vec(),
        request("GET", "").to_vec(),
    ];
    let mut raw = Raw::new(proxy.address);
    for (stream, fields) in (1..).step_by(2).zip(&cases) {
        raw.send(head(stream, fields, END_STREAM));
        assert_eq!(raw.end_of(stream), End::Reset(PROTOCOL_ERROR, None), "{fields:?}");
    }
    raw.send(raw_http2::get(99, "/"));
    assert_eq!(raw.end_of(99), End::Answer(200, b"ok".to_vec()));
    assert_eq!((upstream.requests().len(), proxy.refusals("bad-head")), (1, cases.len() as u64));
    // These break the connection's own state, so that it ends.
    for fields in [with("X-Capital", "1"), with("x y", "1"), with("x", "a\r\nb: c"), with("x", "a\0")] {
        let mut raw = Raw::new(proxy.address);
        raw.send(head(1, &fields, END_STREAM));
        assert_eq!(raw.end(), End::GoAway(PROTOCOL_ERROR), "{fields:?}");
    }
    harness::until("they are counted", || (proxy.refusals("bad-frames") == 4).then_some(()));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn without_an_authority_the_host_counts_and_one_of_them_must_be_there() {
    let (upstream, proxy) = start(&[]);
    let mut raw = Raw::new(proxy.address);
    let without = [(":method", "GET"), (":scheme", "http"), (":path", "/x")];
    raw.send(head(1, &[&without[..], &[("host", "shop")]].concat(), END_STREAM));
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    assert!(upstream.only().to_lowercase().contains("\r\nhost: shop\r\n"));
    raw.send(head(3, &without, END_STREAM));
    assert!(matches!(raw.end_of(3), End::Answer(400, body) if body.ends_with(b"no-host\n")));
    raw.send(head(5, &[&without[..], &[("host", "a"), ("host", "a")]].concat(), END_STREAM));
    assert!(matches!(raw.end_of(5), End::Answer(400, body) if body.ends_with(b"several-hosts\n")));
    raw.send(head(7, &[(":method", "GET"), (":scheme", "ftp"), (":authority", "a"), (":path", "/")], END_STREAM));
    assert!(matches!(raw.end_of(7), End::Answer(400, body) if body.ends_with(b"bad-target\n")));
    raw.send(head(9, &[(":method", "CONNECT"), (":authority", "a:80")], END_STREAM));
    assert!(matches!(raw.end_of(9), End::Answer(400, body) if body.ends_with(b"connect\n")));
}

/// A body that is longer or shorter than its length says is malformed, and so is one that the client gives up.
#[test]
fn a_body_must_have_the_length_that_it_says() {
    let (_upstream, proxy) = start(&[]);
    let mut raw = Raw::new(proxy.address);
    let fields = [&request("POST", "/")[..], &[("content-length", "4")]].concat();
    for (stream, body) in [(1, "five5"), (3, "two")] {
        raw.send(head(stream, &fields, 0));
        raw.send(frame(DATA, END_STREAM, stream, body.as_bytes()));
        assert_eq!(raw.end_of(stream), End::Reset(PROTOCOL_ERROR, None));
    }
    raw.send(raw_http2::get(5, "/"));
    assert_eq!(raw.end_of(5), End::Answer(200, b"ok".to_vec()));
    harness::until("they have ended", || (proxy.active() == 0).then_some(()));
    assert_eq!((proxy.refusals("bad-body"), proxy.refusals("bad-head")), (0, 0), "the client has gone from them");
}
