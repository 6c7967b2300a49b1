//! Requests that the proxy does not forward, with raw bytes: each has a status, a reason in three
//! places, and no trace at the upstream.

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::{Upstream, closed_port},
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
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (400, "400 Bad Request: bad-head\n"), "{bytes:?}");
        let status = header(&answer.head, "proxy-status");
        assert_eq!(status, Some("sidekit-proxy; error=http_request_error; details=\"bad-head\""), "{bytes:?}");
        assert!(client.is_closed(), "{bytes:?}");
        assert_eq!(proxy.refusals("bad-head"), before + 1);
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn behind_other_requests_a_head_that_cannot_be_read_is_answered_too() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let continued = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    for before in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", body, chunked, continued] {
        for is_pipelined in [false, true] {
            let mut client = proxy.client();
            client.send(if is_pipelined { [before, "nonsense\r\n\r\n"].concat() } else { before.to_owned() });
            let answer = client.answer();
            assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{before:?}: {answer:?}");
            if !is_pipelined {
                client.send("nonsense\r\n\r\n");
            }
            let answer = client.answer();
            let status = header(&answer.head, "proxy-status").unwrap_or_default();
            assert!(answer.status == 400 && status.ends_with("details=\"bad-head\""), "{before:?}: {answer:?}");
            assert!(client.is_closed());
        }
    }
}

#[test]
fn a_refusal_says_whether_it_closes_the_connection() {
    let (gone, _socket) = closed_port();
    let proxy =
        Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &format!("http://{gone}"), "--direction", "outbound"]);
    let mut client = proxy.client();
    // Nothing of the body is left, so the connection stays.
    let whole = client.get("/");
    assert_eq!((whole.status, header(&whole.head, "connection")), (502, None), "{whole:?}");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf");
    let half = client.answer();
    assert_eq!((half.status, header(&half.head, "connection")), (502, Some("close")), "{half:?}");
    assert!(client.is_closed());
    let mut client = proxy.client();
    client.send("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nContent-Length: 100000\r\n\r\nhalf");
    let last = client.answer();
    assert_eq!((last.status, header(&last.head, "connection")), (204, Some("close")), "{last:?}");
    assert_eq!(header(&last.head, "proxy-status"), Some("sidekit-proxy; details=\"max-forwards\""));
    assert!(client.is_closed());
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

#[test]
fn heads_behind_a_chunked_body_are_judged_by_their_bytes_too() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let chunked =
        "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6;x\r\nGET /\n\r\n0\r\nX: 1\r\n\r\n";
    let both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (second, reason) in [
        ("GET / HTTP/1.1\nHost: a\n\n", "bare-line-feed"),
        ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", "bad-target"),
        (both, "length-beside-chunked"),
    ] {
        for is_pipelined in [false, true] {
            let before = proxy.refusals(reason);
            let mut client = proxy.client();
            client.send(if is_pipelined { [chunked, second].concat() } else { chunked.to_owned() });
            assert_eq!(client.answer().status, 200);
            client.try_send(if is_pipelined { "" } else { second });
            assert_eq!(client.answer().status, 400, "{second:?}");
            assert_eq!(proxy.refusals(reason), before + 1);
        }
    }
    assert!(upstream.requests().iter().all(|request| request.contains("/first")));
}
