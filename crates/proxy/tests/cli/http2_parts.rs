//! Requests over HTTP/2 that must not become other requests on their way to an app: parts of bodies, and targets that vanish.

use crate::{
    raw_http2::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, HEADERS, NO_ERROR, RST_STREAM, Raw, block,
        frame, get, head, request,
    },
    support::{OK, Proxy},
    upstream::Upstream,
};

/// hyper ends a body well when its stream is reset with `NO_ERROR`, which is what node's clients send when they give up.
#[test]
fn an_upload_that_is_reset_without_an_error_stays_a_part() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    for number in 0..60 {
        let mut raw = Raw::new(proxy.address);
        let part = [
            head(1, &request("POST", "/upload"), 0),
            frame(DATA, 0, 1, b"part"),
            frame(RST_STREAM, 0, 1, &NO_ERROR.to_be_bytes()),
        ];
        raw.send(part.concat());
        raw.send(get(3, "/next"));
        raw.end_of(3);
        upstream.wait_for_requests(number + 1);
    }
    harness::until("the uploads have ended", || (proxy.active() == 0).then_some(()));
    let whole = upstream.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(whole, 0, "{:#?}", upstream.requests());
}

/// h2 cuts a fragment off, and nothing may be left of a path: `GET  HTTP/1.1` is no request.
#[test]
fn a_path_of_a_fragment_alone_is_refused() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::new(proxy.address);
    for (stream, path) in [(1, "#"), (3, "#/a"), (5, "#?a=b")] {
        raw.send(head(stream, &request("GET", path), END_STREAM));
        assert!(matches!(raw.end_of(stream), End::Answer(400, body) if body.ends_with(b"bad-target\n")), "{path}");
    }
    raw.send(get(7, "/"));
    assert_eq!(raw.end_of(7), End::Answer(200, b"ok".to_vec()));
    assert_eq!(upstream.requests().len(), 1);
}

/// h2 holds twice the size of a head, and drops what is behind that without a word.
#[test]
fn trailers_that_are_too_long_are_no_end_of_a_request() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let upload = |raw: &mut Raw, stream, trailers: &[(&str, &str)]| {
        raw.send(head(stream, &[&request("POST", "/"), &[("trailer", "x-a")][..]].concat(), 0));
        raw.send(frame(DATA, 0, stream, b"part"));
        let block = block(trailers);
        let mut parts = block.chunks(16_384).peekable();
        let (mut kind, mut flags) = (HEADERS, END_STREAM);
        while let Some(part) = parts.next() {
            flags |= if parts.peek().is_none() { END_HEADERS } else { 0 };
            raw.send(frame(kind, flags, stream, part));
            (kind, flags) = (CONTINUATION, 0);
        }
    };
    let mut raw = Raw::new(proxy.address);
    upload(&mut raw, 1, &[("x-a", &"a".repeat(16_000))]);
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    // Few bytes on the wire
    upload(&mut raw, 3, &vec![("x-a", "a"); 600]);
    assert!(matches!(raw.end_of(3), End::Answer(431, _)));
    assert_eq!((upstream.requests().len(), proxy.refusals("head-too-large")), (1, 1));
    for long in [20_000, 60_000, 70_000] {
        let mut raw = Raw::new(proxy.address);
        upload(&mut raw, 1, &[("x-a", "b"), ("x-a", &"a".repeat(long))]);
        assert_eq!(raw.end_of(1), End::GoAway(ENHANCE_YOUR_CALM), "{long}");
    }
    harness::until("the uploads have ended", || (proxy.active() == 0).then_some(()));
    let whole = upstream.requests().iter().filter(|request| request.ends_with("0\r\n\r\n")).count();
    assert_eq!(whole, 0, "{:#?}", upstream.requests());
}
