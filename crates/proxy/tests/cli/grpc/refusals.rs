//! Answers of the proxy's own to calls: heads that are trailers, with a status of gRPC and the reason.

use std::{sync::Arc, time::Instant};

use harness::until;
use rustls::ServerConfig;

use crate::{
    client::Client as RawClient,
    grpc::{
        AUTHORITY,
        client::End,
        proxy, proxy_to, run,
        server::{Asked, Server},
    },
    support::{OK, Proxy},
    upstream::{Upstream, closed_port},
};

#[track_caller]
fn assert_refused(end: &End, status: &str, reason: &str, pushback: Option<&str>) {
    assert_eq!(end.status(), status);
    assert!(end.message().starts_with(&format!("sidekit-proxy: {reason}")), "{end:?}");
    assert_eq!((end.head.status.as_u16(), end.messages.len()), (200, 0));
    let headers = &end.head.headers;
    assert_eq!(
        (&headers["content-type"], &headers["grpc-status"]),
        (&"application/grpc".parse().unwrap(), &status.parse().unwrap())
    );
    assert!(headers["proxy-status"].to_str().unwrap().contains(reason), "{headers:?}");
    let value = headers.get("grpc-retry-pushback-ms").map(|value| value.to_str().unwrap());
    assert_eq!((value, headers.get("retry-after")), (pushback, None));
}

#[test]
fn a_closed_port_is_unavailable() {
    let (address, _socket) = closed_port();
    let inbound = proxy_to(address, &[]);
    let end = inbound.grpc().unary("/a.B/C", &[], b"hello");
    assert_refused(&end, "14", "app-down", Some("1000"));
    let outbound = proxy_to(address, &["--direction", "outbound"]);
    let end = outbound.grpc().empty("/a.B/C", &[]);
    assert_refused(&end, "14", "upstream-refuses", None);
}

#[test]
fn a_call_needs_http_2_upstream() {
    let upstream = Upstream::answering(OK);
    let proxy = run(&upstream.url(), &[]);
    let end = proxy.grpc().unary("/a.B/C", &[], b"hello");
    assert_refused(&end, "12", "grpc-needs-http2", None);
    assert!(end.message().contains("the upstream speaks HTTP/1.1; write http=2"), "{end:?}");
    assert_eq!((upstream.requests().len(), proxy.refusals("grpc-needs-http2")), (0, 1));
    // With TLS, the upstream has the choice.
    let mut tls = ServerConfig::clone(&AUTHORITY.server(&["localhost"]));
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Server::with_tls(Some(tls.into()), Asked::until_reset);
    let with_tls = format!("https://localhost:{}#ca={}", server.address.port(), AUTHORITY.ca());
    let proxy = run(&with_tls, &["--direction", "outbound"]);
    for _ in 0..2 {
        assert_refused(&proxy.grpc().unary("/a.B/C", &[], b"hello"), "12", "grpc-needs-http2", None);
    }
    // A burst of calls makes at most one connection a second.
    let begun = Instant::now();
    for _ in 0..20 {
        assert_refused(&proxy.grpc().unary("/a.B/C", &[], b"hello"), "12", "grpc-needs-http2", None);
    }
    let (made, seconds) = (server.connections(), usize::try_from(begun.elapsed().as_secs()).unwrap());
    assert!(made <= 3 + seconds && server.heads().is_empty(), "{made} in {seconds} s");
    until("they are closed", || (proxy.counted("http_client_open_connections") == 0).then_some(()));
    // Behind one name there may be servers of both kinds.
    let configs = ["http/1.1", "h2"].map(|protocol| {
        let mut tls = ServerConfig::clone(&AUTHORITY.server(&["localhost"]));
        tls.alpn_protocols = vec![protocol.into()];
        Arc::new(tls)
    });
    let server =
        Server::with_each_tls(configs.into(), |mut asked| async move { asked.refuse(&[("grpc-status", "0")]) });
    let both = format!("https://localhost:{}#ca={}", server.address.port(), AUTHORITY.ca());
    let proxy = run(&both, &["--direction", "outbound"]);
    assert_refused(&proxy.grpc().unary("/a.B/C", &[], b"hello"), "12", "grpc-needs-http2", None);
    assert_eq!((proxy.grpc().unary("/a.B/C", &[], b"hello").status(), server.connections()), ("0", 2));
    // Over HTTP/1.1 it is a request like any other.
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = RawClient::new(proxy.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn what_the_client_does_wrong_has_a_status() {
    let server = Server::echo();
    let proxy = proxy(&server, &["--max-body", "1KiB"]);
    let mut client = proxy.grpc();
    let end = client.unary("/a.B/C", &[("x_forwarded_for", "6.6.6.6")], b"hello");
    assert_refused(&end, "13", "mimicked-header", None);
    let end = client.unary("/a.B/C", &[], &[7; 1025]);
    assert_refused(&end, "8", "body-too-large", None);
    // Each message is bounded, because a stream has no end.
    let mut call = client.call("/a.B/C", &[]);
    (0..3).for_each(|_| call.send(&[7; 1024]));
    call.close();
    assert_eq!(call.end().status(), "0");
}

#[test]
fn too_many_calls_are_pushed_back() {
    let server = Server::start(Asked::until_reset);
    let proxy = proxy(&server, &["--max-requests", "1"]);
    let mut client = proxy.grpc();
    let mut first = client.call("/a.B/C", &[]);
    server.wait_for_calls(1);
    let end = client.unary("/a.B/C", &[], b"hello");
    assert_refused(&end, "14", "too-many-requests", Some("1000"));
    first.cancel();
    server.wait_for_reset();
}

#[test]
fn a_server_that_closes_before_its_answer_is_unavailable() {
    let upstream = Upstream::start(|connection| {
        // The preface and what comes with it
        connection.head();
    });
    let end = proxy_to(upstream.address, &[]).grpc().unary("/a.B/C", &[], b"hello");
    assert_refused(&end, "14", "upstream-closed", None);
}
