//! What the proxy does not forward, with raw bytes: each has a status, a reason in three places, and no trace at the upstream.

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

/// Sends bytes, and expects this refusal.
#[track_caller]
fn refused(proxy: &Proxy, bytes: &str, status: u16, reason: &str) {
    let before = proxy.refusals(reason);
    let mut client = proxy.client();
    client.send(bytes);
    let answer = client.answer();
    assert_eq!(answer.status, status, "{bytes:?}: {answer:#?}");
    let told = header(&answer.head, "proxy-status").unwrap_or_default();
    assert!(
        told.starts_with("sidekit-proxy; error=") && told.ends_with(&format!("details=\"{reason}\"")),
        "{answer:#?}"
    );
    assert_eq!(proxy.refusals(reason), before + 1, "{bytes:?}");
    assert!(client.is_closed(), "{bytes:?}");
}

#[test]
fn heads_that_could_be_read_in_two_ways() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let get = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n");
    let post = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n0\r\n\r\n");
    for (bytes, reason) in [
        (get(""), "no-host"),
        (get("Host: a\r\nHost: a\r\n"), "several-hosts"),
        (get("Host: a b\r\n"), "bad-host"),
        (get("Host: \r\n"), "bad-host"),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), "host-differs"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".into(), "bare-line-feed"),
        ("GET / HTTP/1.1\r\nHost: a\n\n".into(), "bare-line-feed"),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "length-beside-chunked"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "length-beside-chunked"),
        (post("Transfer-Encoding: ,chunked\r\n"), "bad-transfer-encoding"),
        (post("Transfer-Encoding: chunked, chunked\r\n"), "bad-transfer-encoding"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "bad-transfer-encoding"),
        (post("Transfer-Encoding: gzip, chunked\r\n"), "bad-transfer-encoding"),
        (get("Host: a\r\nX_Forwarded_For: 1.1.1.1\r\n"), "mimicked-header"),
        (get("Host: a\r\nContent_Length: 1\r\n"), "mimicked-header"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "trace"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(), "connect"),
        ("GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".into(), "bad-target"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(), "bad-target"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n".into(), "bad-target"),
        ("GET /a#/../b HTTP/1.1\r\nHost: a\r\n\r\n".into(), "bad-target"),
        ("GET http://user@a/ HTTP/1.0\r\n\r\n".into(), "bad-host"),
        (get("Host: a[b\r\n"), "bad-host"),
    ] {
        refused(&proxy, &bytes, 400, reason);
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn heads_that_cannot_be_read_at_all() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    for bytes in [
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET / HTTP/9.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01 a client that speaks TLS\r\n\r\n",
    ] {
        let before = proxy.refusals("bad-head");
        let mut client = proxy.client();
        client.send(bytes);
        assert_eq!(client.answer().status, 400, "{bytes:?}");
        assert!(client.is_closed(), "{bytes:?}");
        harness::until("it is counted", || (proxy.refusals("bad-head") == before + 1).then_some(()));
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn a_pipelined_request_is_judged_too() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\nHost: a\n\n");
    assert_eq!((client.answer().status, client.answer().status), (200, 400));
    assert_eq!(upstream.requests().len(), 1);
}
