//! Upstreams and clients that break off, are slow, or speak something else.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use h2::Reason;
use harness::until;
use hyper::body::Bytes;

use super::{GET, before, before_frames};
use crate::{
    client::header,
    http2_upstream::{Asked, Frames, Http2Upstream, STATUS_200},
    raw_http2::{DATA, END_HEADERS, END_STREAM, HEADERS, frame},
    upstream::Upstream,
};

#[test]
fn an_answer_that_is_cut_never_looks_whole() {
    const CANCEL: u32 = 8;
    for reason in [0, 2, CANCEL] {
        for is_long in [false, true] {
            let (has_half, go_on) = mpsc::channel();
            let go_on = Mutex::new(go_on);
            let upstream = Upstream::start(move |connection| {
                let Some(mut frames) = Frames::begin(connection, &[]) else { return };
                let Some(stream) = frames.request() else { return };
                // `content-length: 10`, by the name in the static table
                let length = [STATUS_200, &[0x0f, 0x0d, 2], b"10"].concat();
                frames.send(HEADERS, END_HEADERS, stream, if is_long { &length } else { STATUS_200 });
                frames.send(DATA, 0, stream, b"half");
                go_on.lock().unwrap().recv().unwrap();
                frames.reset(stream, reason);
                while frames.next().is_some() {}
            });
            let proxy = before_frames(&upstream, &[]);
            let mut client = proxy.client();
            client.send(GET);
            let head = client.head().unwrap();
            assert_eq!(header(&head, "content-length"), is_long.then_some("10"));
            let body = if is_long { client.bytes(4) } else { client.chunk() };
            assert_eq!(body, "half", "{reason}");
            has_half.send(()).unwrap();
            // NO_ERROR says that an answer is whole only behind END_STREAM (RFC 9113, section 8.1).
            assert_eq!(client.rest(), "", "{reason} {is_long}");
        }
    }
}

#[test]
fn a_connection_that_breaks_in_mid_answer_cuts_it() {
    let (has_half, go_on) = mpsc::channel();
    let go_on = Mutex::new(go_on);
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        let Some(stream) = frames.request() else { return };
        frames.send(HEADERS, END_HEADERS, stream, STATUS_200);
        frames.send(DATA, 0, stream, b"half");
        go_on.lock().unwrap().recv().unwrap();
    });
    let proxy = before_frames(&upstream, &[]);
    let mut client = proxy.client();
    client.send(GET);
    client.head().unwrap();
    assert_eq!(client.chunk(), "half");
    has_half.send(()).unwrap();
    assert_eq!(client.rest(), "");
}

#[test]
fn a_length_that_the_body_does_not_have_is_no_answer_to_trust() {
    let upstream = Http2Upstream::start(|asked: Asked| async move {
        let mut asked = asked;
        let mut stream = asked.begin(200, &[("content-length", "3")]);
        let _ = stream.send_data(Bytes::from_static(b"hello"), true);
    });
    let proxy = before(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send(GET);
    // The head may have gone before the body came, which is cut then.
    let answer = client.rest();
    assert!(answer.is_empty() || answer.contains(" 502 ") || answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_client_that_goes_resets_its_stream() {
    let (reset, reasons) = mpsc::channel();
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        while let Some(stream) = frames.request() {
            // The first has a part of its answer, the second has none.
            if stream == 1 {
                frames.send(HEADERS, END_HEADERS, stream, STATUS_200);
            }
            reset.send(frames.reset_by_peer().unwrap()).unwrap();
        }
    });
    let proxy = before_frames(&upstream, &[]);
    for (stream, request) in [(1, GET), (3, GET), (5, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")] {
        let mut client = proxy.client();
        client.send(request);
        until("the request is on its way", || (proxy.active() == 1).then_some(()));
        if stream == 1 {
            client.head().unwrap();
        } else {
            thread::sleep(Duration::from_millis(100));
        }
        drop(client);
        // CANCEL
        assert_eq!(reasons.recv_timeout(harness::DEADLINE).unwrap(), (stream, 8));
        until("the request has ended", || (proxy.active() == 0).then_some(()));
    }
    assert_eq!(upstream.connections(), 1);
    proxy.stop();
}

#[test]
fn an_answer_that_is_late_is_504_and_its_stream_is_reset() {
    let reset = Arc::new(AtomicUsize::new(0));
    let count = reset.clone();
    let upstream = Http2Upstream::start(move |mut asked: Asked| {
        let count = count.clone();
        async move {
            if asked.path() == "/late" {
                assert_eq!(asked.reset_by_peer().await, Some(Reason::CANCEL));
                count.fetch_add(1, SeqCst);
            } else {
                asked.ok("ok");
            }
        }
    });
    let proxy = before(&upstream.url(), &["--request-timeout", "300ms"]);
    let mut client = proxy.client();
    assert_eq!(client.get("/late").status, 504);
    until("the stream is reset", || (reset.load(SeqCst) == 1).then_some(()));
    assert_eq!((client.get("/").body.as_str(), upstream.connections()), ("ok", 1));
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_else() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let upstream = Http2Upstream::start(move |mut asked: Asked| {
        let count = count.clone();
        async move {
            if asked.path() == "/" {
                return asked.ok("ok");
            }
            let mut stream = asked.begin(200, &[]);
            loop {
                stream.reserve_capacity(64 * 1024);
                let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else {
                    return;
                };
                if stream.send_data(vec![b'x'; room].into(), false).is_err() {
                    return;
                }
                count.fetch_add(room, SeqCst);
            }
        }
    });
    let proxy = before(&upstream.url(), &[]);
    let mut lazy: Vec<_> = (0..4).map(|_| proxy.client()).collect();
    for client in &mut lazy {
        client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let mut before = usize::MAX;
    until("the answers have stopped", || {
        thread::sleep(Duration::from_millis(300));
        let now = sent.load(SeqCst);
        (std::mem::replace(&mut before, now) == now && now > 0).then_some(())
    });
    // Each in the buffers of two sockets, and in a window of 256 KiB
    assert!(before < 4 * 8_000_000, "{before}");
    assert_eq!((proxy.client().get("/").body.as_str(), upstream.connections()), ("ok", 1));
}

#[test]
fn an_early_answer_passes_while_the_body_is_sent() {
    for is_reset in [true, false] {
        let upstream = Upstream::start(move |connection| {
            let Some(mut frames) = Frames::begin(connection, &[]) else { return };
            while let Some(stream) = frames.request() {
                if stream > 1 {
                    frames.ok(stream, "ok");
                    continue;
                }
                // `:status: 413`
                let head = frame(HEADERS, END_HEADERS, stream, &[&[0x08, 3][..], b"413"].concat());
                // All at once, as a server does that has not read the body, and does not want the rest of it.
                let mut all = [head, frame(DATA, END_STREAM, stream, b"big")].concat();
                if is_reset {
                    all.extend(frame(3, 0, stream, &[0; 4]));
                }
                frames.0.write(all);
            }
        });
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.post_much();
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (413, "big"), "{is_reset}");
        // The upstream's connection is not the client's, and goes on.
        assert_eq!((proxy.client().get("/").body.as_str(), upstream.connections()), ("ok", 1));
    }
}

#[test]
fn interim_answers_are_skipped_and_bounded() {
    let upstream = Upstream::start(|connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        // `:status: 103`
        let early_hints = [&[0x08, 3][..], b"103"].concat();
        let mut count = 2;
        while let Some(stream) = frames.request() {
            for _ in 0..count {
                frames.send(HEADERS, END_HEADERS, stream, &early_hints);
            }
            frames.ok(stream, "ok");
            count = 10_000;
        }
    });
    let proxy = before_frames(&upstream, &[]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").body, "ok");
    assert_eq!((client.get("/").status, proxy.refusals("upstream-broken")), (502, 1));
}

#[test]
fn a_server_without_http2_is_told_from_one_that_is_gone() {
    let upstream = Upstream::start(|connection| {
        let mut preface = [0; 24];
        let _ = std::io::Read::read_exact(&mut connection.stream, &mut preface);
        connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        // Read to the end, so that no reset overtakes the answer.
        while std::io::Read::read(&mut connection.stream, &mut preface).is_ok_and(|length| length > 0) {}
    });
    let mut proxy = before_frames(&upstream, &[]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-broken")), (502, 1), "{answer:?}");
    let line = proxy.program.wait_for_message("no connection to an upstream");
    assert_eq!(line["upstream"], upstream.address.to_string());
    assert!(line["reason"].as_str().unwrap().contains("http=auto"), "{line:?}");
}

#[test]
fn a_silent_connection_gets_no_new_requests() {
    // The first connection answers once, and then nothing, as if its host were gone.
    let upstream = Upstream::start(|connection| {
        let is_first = connection.number == 0;
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        while let Some(stream) = frames.request() {
            if !is_first || stream == 1 {
                frames.ok(stream, "ok");
            }
        }
    });
    let proxy = before_frames(&upstream, &[]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").body, "ok");
    client.send(GET);
    until("the request is on its way", || (proxy.active() == 1).then_some(()));
    // The time is what is tested.
    thread::sleep(Duration::from_millis(5200));
    assert_eq!((proxy.client().get("/").body.as_str(), upstream.connections()), ("ok", 2));
}
