//! Upstreams over HTTP/2: requests that are translated, and that share few connections.

mod both_sides;
mod faults;
mod retries;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use h2::server::Builder;
use harness::until;
use hyper::body::Bytes;
use tokio::sync::Notify;

use crate::{
    client::{Client, header},
    http2_upstream::{Asked, Http2Upstream},
    support::{OK, Proxy},
    upstream::Upstream,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

fn before(url: &str, arguments: &[&str]) -> Proxy {
    let front = ["--listen", "127.0.0.1:0", "--upstream", url, "--direction", "inbound"];
    Proxy::run(&[&front, arguments].concat())
}

/// In front of an upstream that speaks frame by frame
fn before_frames(upstream: &Upstream, arguments: &[&str]) -> Proxy {
    before(&format!("{}#http=2", upstream.url()), arguments)
}

fn kind(proxy: &Proxy, address: std::net::SocketAddr, kind: &str) -> u64 {
    proxy.metric(&format!("sidekit_proxy_upstream_connections_total{{kind=\"{kind}\",upstream=\"{address}\"}}"))
}

fn open(proxy: &Proxy, port: u16, state: &str) -> u64 {
    let labels = format!("http_connection_state=\"{state}\",server_address=\"127.0.0.1\",server_port=\"{port}\"");
    proxy.metric(&format!("http_client_open_connections{{{labels}}}"))
}

#[test]
fn a_request_is_translated_and_so_is_its_answer() {
    let upstream = Http2Upstream::start(|asked: Asked| async move {
        let mut asked = asked;
        let (body, trailers) = asked.whole_body().await.unwrap();
        let mut stream = asked.begin(201, &[("trailer", "x-sum"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]);
        stream.send_data(Bytes::from(format!("{body} {trailers:?}")), false).unwrap();
        let trailers = [("x-sum".parse().unwrap(), "7".parse().unwrap())];
        stream.send_trailers(trailers.into_iter().collect()).unwrap();
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send(
        "POST /a//b?c=%20d HTTP/1.1\r\nHost: App:80\r\nConnection: X-Mine, TE\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n\
         Cookie: a=1; b=2\r\nTE: trailers\r\nTrailer: X-In\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nX-In: yes\r\n\r\n",
    );
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    assert_eq!(header(&head, "via"), Some("2 sidekit-proxy"));
    assert_eq!(head.matches("set-cookie:").count(), 2);
    assert_eq!(client.chunk(), "hello [\"x-in: yes\"]");
    assert_eq!((client.chunk().as_str(), client.trailer().as_deref()), ("", Some("x-sum: 7")));
    let request = &upstream.requests()[0];
    assert!(request.starts_with("POST http://App:80/a//b?c=%20d\n"), "{request}");
    for (name, is_there) in [
        ("te: trailers", true),
        ("cookie: a=1; b=2", true),
        ("via: 1.1 sidekit-proxy", true),
        ("trailer: X-In", true),
        ("host:", false),
        ("connection:", false),
        ("x-mine:", false),
        ("keep-alive:", false),
        ("transfer-encoding:", false),
    ] {
        assert_eq!(request.contains(&format!("\n{name}")), is_there, "{name} in {request}");
    }
    proxy.stop();
}

#[test]
fn answers_without_a_body_keep_their_heads() {
    let upstream = Http2Upstream::start(|asked: Asked| async move {
        match asked.path() {
            "/304" => asked.status(304, &[("etag", "\"1\""), ("content-length", "5")]),
            "/204" => asked.status(204, &[]),
            "/head" => asked.status(200, &[("content-length", "5")]),
            _ => asked.ok("other"),
        }
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(header(&client.head().unwrap(), "content-length"), Some("5"));
    assert_eq!(client.get("/304").status, 304);
    assert_eq!(client.get("/204").status, 204);
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().body, "other");
    assert!(upstream.requests()[3].starts_with("OPTIONS "), "{:?}", upstream.requests());
    assert_eq!(upstream.connections(), 1);
    // HTTP/1.0 reads a body without a length until the connection ends, and has a Host of the upstream's.
    let mut old = proxy.client();
    old.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.answer().body, "other");
    let authority = format!("GET http://{}/", upstream.address);
    assert!(upstream.requests()[4].starts_with(&authority), "{:?}", upstream.requests());
}

/// An upstream that answers no request before `release` is notified
fn holding(builder: &Builder, release: &Arc<Notify>, held: &Arc<AtomicUsize>) -> Http2Upstream {
    let (release, held) = (release.clone(), held.clone());
    Http2Upstream::with(builder, move |asked: Asked| {
        let (release, held) = (release.clone(), held.clone());
        async move {
            let released = release.notified();
            held.fetch_add(1, SeqCst);
            released.await;
            asked.ok("ok");
        }
    })
}

fn asking(proxy: &Proxy, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    clients
}

#[test]
fn requests_at_once_share_as_few_connections_as_the_upstream_allows() {
    for (allowed, connections) in [(None, 1), (Some(20), 3), (Some(1), 60)] {
        let (release, held) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let mut builder = Builder::new();
        allowed.map(|allowed| builder.max_concurrent_streams(allowed));
        let upstream = holding(&builder, &release, &held);
        let proxy = before(&upstream.url(), &[]);
        let mut clients = asking(&proxy, 60);
        until("all requests are held", || (held.load(SeqCst) == 60).then_some(()));
        assert_eq!(upstream.connections(), connections, "{allowed:?}");
        let port = upstream.address.port();
        assert_eq!((open(&proxy, port, "active"), open(&proxy, port, "idle")), (connections as u64, 0));
        release.notify_waiters();
        for client in &mut clients {
            assert_eq!(client.answer().body, "ok");
        }
        until("the connections are idle", || (open(&proxy, port, "active") == 0).then_some(()));
        assert_eq!(open(&proxy, port, "idle"), connections as u64);
        let kinds = (kind(&proxy, upstream.address, "fresh"), kind(&proxy, upstream.address, "reused"));
        assert_eq!(kinds, (connections as u64, 60 - connections as u64), "{allowed:?}");
        proxy.stop();
    }
}

#[test]
fn requests_beyond_all_connections_wait_for_a_place_and_not_for_ever() {
    let (release, held) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let upstream = holding(Builder::new().max_concurrent_streams(1), &release, &held);
    let proxy = before(&upstream.url(), &[]);
    let mut clients = asking(&proxy, 64);
    until("all places are taken", || (held.load(SeqCst) == 64).then_some(()));
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-full")), (503, 1), "{answer:?}");
    assert_eq!(header(&answer.head, "proxy-status").unwrap().matches("connection_limit_reached").count(), 1);
    let mut waiting = proxy.client();
    waiting.send(GET);
    until("it waits", || (proxy.active() == 65).then_some(()));
    release.notify_one();
    until("it has a place", || (held.load(SeqCst) == 65).then_some(()));
    release.notify_waiters();
    assert_eq!(waiting.answer().body, "ok");
    for client in &mut clients {
        assert_eq!(client.answer().body, "ok");
    }
    assert_eq!(upstream.connections(), 64);
    proxy.stop();
}

#[test]
fn large_bodies_pass_in_both_directions() {
    const SIZE: usize = 3_000_000;
    let upstream = Http2Upstream::start(|mut asked: Asked| async move {
        let (body, _) = asked.whole_body().await.unwrap();
        let mut stream = asked.begin(200, &[]);
        stream.send_data(body.into(), true).unwrap();
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = proxy.client();
    let body = "0123456789".repeat(SIZE / 10);
    let mut writer = client.writer();
    let sent = body.clone();
    let writing = thread::spawn(move || {
        use std::io::Write;
        write!(writer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n{sent}").unwrap();
    });
    let answer = client.answer();
    writing.join().unwrap();
    assert!(answer.body == body, "{} bytes", answer.body.len());
}

#[test]
fn a_connection_of_the_maximum_age_takes_no_more_requests_and_ends_those_that_it_has() {
    let release = Arc::new(Notify::new());
    let held = release.clone();
    let upstream = Http2Upstream::start(move |asked: Asked| {
        let held = held.clone();
        async move {
            if asked.path() == "/held" {
                held.notified().await;
            }
            let is_first = asked.connection == 0;
            asked.ok(if is_first { "first" } else { "later" });
        }
    });
    let proxy = before(&upstream.url(), &["--max-upstream-age", "1s"]);
    let mut held = proxy.client();
    held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut client = proxy.client();
    assert_eq!(client.get("/").body, "first");
    until("a new connection takes the requests", || (client.get("/").body == "later").then_some(()));
    release.notify_one();
    assert_eq!(held.answer().body, "first");
    let port = upstream.address.port();
    until("the old connection has ended", || {
        (open(&proxy, port, "active") + open(&proxy, port, "idle") == 1).then_some(())
    });
}

#[test]
fn the_maximum_age_holds_for_http1_too() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--max-upstream-age", "1s"]);
    let mut client = proxy.client();
    until("a new connection takes the requests", || {
        assert_eq!(client.get("/").status, 200);
        (upstream.connections() > 1).then_some(())
    });
    upstream.wait_for_closed(1);
}
