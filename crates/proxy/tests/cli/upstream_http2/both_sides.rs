//! HTTP/2 on both sides: streams that end early on one of them, trailers, versions that meet.

use std::{sync::mpsc, thread, time::Duration};

use h2::Reason;
use harness::until;
use hyper::body::Bytes;

use super::{GET, before, before_frames};
use crate::{
    http2_client::{Http2, get, post},
    http2_upstream::{Asked, Frames, Http2Upstream, STATUS_200},
    raw_http2::{self, DATA, END_HEADERS, HEADERS, RST_STREAM, Raw},
    upstream::Upstream,
};

#[test]
fn trailers_pass_without_an_announcement() {
    let upstream = Http2Upstream::start(|mut asked: Asked| async move {
        let (body, trailers) = asked.whole_body().await.unwrap();
        let mut stream = asked.begin(200, &[]);
        stream.send_data(Bytes::from(format!("{body} {trailers:?}")), false).unwrap();
        let trailers = [("x-sum".parse().unwrap(), "7".parse().unwrap())];
        stream.send_trailers(trailers.into_iter().collect()).unwrap();
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = Http2::new(proxy.address);
    let mut stream = client.begin(post("/"), false).unwrap();
    stream.sender.send_data(Bytes::from_static(b"hello"), false).unwrap();
    let trailers = [("x-in".parse().unwrap(), "yes".parse().unwrap())];
    stream.sender.send_trailers(trailers.into_iter().collect()).unwrap();
    let answer = client.answer(stream).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello [\"x-in: yes\"]"));
    assert_eq!(answer.trailers.unwrap()["x-sum"], "7");
}

/// Frames of streams that the proxy has reset and forgotten come late, and end no other request.
#[test]
fn many_cancelled_requests_leave_the_others_alone() {
    const ROUND: u32 = 90;
    const ROUNDS: u32 = 14;
    let (began, last) = mpsc::channel();
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        let (mut streams, mut resets) = (Vec::new(), 0);
        while let Some(frame) = frames.next() {
            match frame.kind {
                HEADERS => {
                    streams.push(frame.stream);
                    began.send(()).unwrap();
                }
                RST_STREAM => resets += 1,
                _ => (),
            }
            if resets == ROUND * ROUNDS {
                break;
            }
        }
        for stream in streams.iter().rev() {
            frames.ok(*stream, "ok");
        }
        while frames.next().is_some() {}
    });
    let proxy = before_frames(&upstream, &[]);
    let mut held = proxy.client();
    held.send(GET);
    last.recv_timeout(harness::DEADLINE).unwrap();
    for _ in 0..ROUNDS {
        let mut raw = Raw::new(proxy.address);
        raw.send((0..ROUND).flat_map(|number| raw_http2::get(2 * number + 1, "/")).collect::<Vec<_>>());
        for _ in 0..ROUND {
            last.recv_timeout(harness::DEADLINE).unwrap();
        }
        drop(raw);
        until("all are cancelled", || (proxy.active() == 1).then_some(()));
    }
    assert_eq!((held.answer().body.as_str(), upstream.connections()), ("ok", 1));
}

/// RFC 9113, section 8.1.1: it would be malformed for the client.
#[test]
fn content_behind_a_head_that_allows_none_goes_no_further() {
    let upstream = Http2Upstream::start(|mut asked: Asked| async move {
        let status = if asked.path() == "/304" { 304 } else { 204 };
        let mut stream = asked.begin(status, &[]);
        stream.send_data(Bytes::from_static(b"body"), false).unwrap();
        stream.send_data(Bytes::from_static(b"more"), true).unwrap();
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = Http2::new(proxy.address);
    for (path, status) in [("/204", 204), ("/304", 304)] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
    }
    let mut client = proxy.client();
    assert_eq!((client.get("/204").status, client.get("/304").status), (204, 304));
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_answer_that_is_cut_is_reset_and_not_with_the_upstreams_reason() {
    const CANCEL: u32 = 8;
    // The time in which the first half reaches the client; no frame tells the upstream of that.
    const PAUSE: Duration = Duration::from_millis(300);
    let over_http2 = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        let Some(stream) = frames.request() else { return };
        frames.send(HEADERS, END_HEADERS, stream, STATUS_200);
        frames.send(DATA, 0, stream, b"half");
        thread::sleep(PAUSE);
        frames.reset(stream, CANCEL);
        while frames.next().is_some() {}
    });
    let over_http1 = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        thread::sleep(PAUSE);
    });
    for proxy in [before_frames(&over_http2, &[]), before(&over_http1.url(), &[])] {
        let mut client = Http2::new(proxy.address);
        let stream = client.begin(get("/"), true).unwrap();
        let error = client.answer(stream).unwrap_err();
        assert_eq!((error.reason(), error.is_reset()), (Some(Reason::INTERNAL_ERROR), true), "{error}");
        // The client's connection goes on.
        assert!(client.begin(get("/"), true).is_ok());
    }
}

#[test]
fn a_stream_that_the_client_resets_is_reset_at_the_upstream() {
    let (reset, reasons) = mpsc::channel();
    let upstream = Http2Upstream::start(move |mut asked: Asked| {
        let reset = reset.clone();
        async move {
            if asked.path() == "/" {
                return asked.ok("ok");
            }
            reset.send(asked.reset_by_peer().await).unwrap();
        }
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = Http2::new(proxy.address);
    for is_all in [true, false] {
        let stream = client.begin(post("/held"), is_all).unwrap();
        assert_eq!(client.get("/").body, "ok");
        drop(stream);
        assert_eq!(client.get("/").body, "ok");
        assert_eq!(reasons.recv_timeout(harness::DEADLINE).unwrap(), Some(Reason::CANCEL));
    }
    until("nothing is in flight", || (proxy.active() == 0).then_some(()));
    assert_eq!(upstream.connections(), 1);
    proxy.stop();
}

#[test]
fn clients_of_both_versions_share_a_connection() {
    let upstream = Http2Upstream::start(|asked: Asked| async move { asked.ok("ok") });
    let proxy = before(&upstream.url(), &[]);
    let mut http2 = Http2::new(proxy.address);
    let mut http1 = proxy.client();
    for _ in 0..3 {
        assert_eq!((http2.get("/").body.as_str(), http1.get("/").body.as_str()), ("ok", "ok"));
    }
    assert_eq!(upstream.connections(), 1);
    let requests = upstream.requests();
    assert!(requests[0].contains("\nvia: 2 sidekit-proxy\n"), "{requests:?}");
    assert!(requests[1].contains("\nvia: 1.1 sidekit-proxy\n"), "{requests:?}");
}

#[test]
fn a_body_goes_again_only_if_none_of_it_was_read() {
    // The first stream of the upstream is refused once its head is there.
    let upstream = Upstream::start(|connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        while let Some(stream) = frames.request() {
            if stream == 1 {
                frames.reset(stream, 7);
            } else {
                frames.ok(stream, "again");
            }
        }
    });
    for (early, status) in [(&b""[..], 200), (&b"he"[..], 502)] {
        let proxy = before_frames(&upstream, &[]);
        let mut client = Http2::new(proxy.address);
        let mut stream = client.begin(post("/"), false).unwrap();
        if !early.is_empty() {
            stream.sender.send_data(Bytes::from_static(early), false).unwrap();
        }
        assert_eq!(client.answer(stream).unwrap().status, status, "{early:?}");
    }
}
