//! Requests over HTTP/2 that may be sent again: only those that the upstream has not processed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use harness::until;

use super::{GET, before_frames};
use crate::{client::Client, http2_upstream::Frames, raw_http2::SETTINGS, upstream::Upstream};

/// `SETTINGS_MAX_CONCURRENT_STREAMS`
const MAX_CONCURRENT_STREAMS: u16 = 3;

#[test]
fn streams_that_a_goaway_names_as_not_processed_go_again_and_others_end() {
    for method in ["GET", "POST"] {
        // Both requests are there before the first connection goes away.
        let upstream = Upstream::start(|connection| {
            let number = connection.number;
            let Some(mut frames) = Frames::begin(connection, &[]) else { return };
            let Some(first) = frames.request() else { return };
            if number > 0 {
                frames.ok(first, "again");
            } else if frames.request().is_some() {
                frames.go_away(first, 0);
                frames.ok(first, "first");
            }
            while frames.next().is_some() {}
        });
        let proxy = before_frames(&upstream, &[]);
        let mut clients = [proxy.client(), proxy.client()];
        for client in &mut clients {
            client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        }
        let mut bodies = clients.each_mut().map(|client| client.answer().body);
        bodies.sort();
        assert_eq!(bodies, ["again", "first"]);
        let retries = format!("sidekit_proxy_retries_total{{upstream=\"{}\"}}", upstream.address);
        assert_eq!(proxy.metric(&retries), 1);
        proxy.stop();
    }
}

/// Does this to the first request of the first connection, and answers all others.
fn failing_first(fail: impl Fn(&mut Frames, u32) + Send + Sync + 'static) -> (Upstream, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        while let Some(stream) = frames.request() {
            if count.fetch_add(1, SeqCst) == 0 {
                fail(&mut frames, stream);
            } else {
                frames.ok(stream, "again");
            }
        }
    });
    (upstream, asked)
}

#[test]
fn only_what_was_not_processed_goes_again() {
    const REFUSED_STREAM: u32 = 7;
    const INTERNAL_ERROR: u32 = 2;
    const ENHANCE_YOUR_CALM: u32 = 11;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    for request in [GET, post] {
        let (upstream, asked) = failing_first(|frames, stream| frames.reset(stream, REFUSED_STREAM));
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.send(request);
        assert_eq!((client.answer().body.as_str(), asked.load(SeqCst)), ("again", 2));
        // An abrupt end, which names no stream as processed
        let (upstream, asked) = failing_first(|frames, _| frames.go_away(0, ENHANCE_YOUR_CALM));
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.send(request);
        assert_eq!((client.answer().body.as_str(), asked.load(SeqCst)), ("again", 2));
        for reason in [INTERNAL_ERROR, ENHANCE_YOUR_CALM] {
            let (upstream, asked) = failing_first(move |frames, stream| frames.reset(stream, reason));
            let proxy = before_frames(&upstream, &[]);
            let mut client = proxy.client();
            client.send(request);
            assert_eq!((client.answer().status, asked.load(SeqCst)), (502, 1), "{reason}");
            assert_eq!(proxy.refusals("upstream-closed"), 1);
            // The connection is no worse for it.
            client.send(request);
            assert_eq!((client.answer().body.as_str(), upstream.connections()), ("again", 1));
        }
        // An abrupt end that names it as processed
        let (upstream, asked) = failing_first(|frames, stream| {
            frames.go_away(stream, INTERNAL_ERROR);
            let _ = frames.0.stream.shutdown(std::net::Shutdown::Both);
        });
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.send(request);
        assert_eq!((client.answer().status, asked.load(SeqCst)), (502, 1));
    }
}

#[test]
fn refused_streams_go_again_within_the_budget() {
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        while let Some(stream) = frames.request() {
            frames.reset(stream, 7);
        }
    });
    let proxy = before_frames(&upstream, &[]);
    let mut client = proxy.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 502);
    }
    let retries = format!("sidekit_proxy_retries_total{{upstream=\"{}\"}}", upstream.address);
    let denied = format!("sidekit_proxy_denied_retries_total{{upstream=\"{}\"}}", upstream.address);
    assert_eq!((proxy.metric(&retries), proxy.metric(&denied)), (10, 10));
}

/// An upstream that refuses a stream, or goes away, has often been sent the whole of a short body.
#[test]
fn a_short_body_goes_again_whole() {
    for (length, expected) in [(5, 200), (16 * 1024, 200), (16 * 1024 + 1, 502)] {
        let body = "b".repeat(length);
        for is_refused in [true, false] {
            let bodies = Arc::new(Mutex::new(Vec::new()));
            let heard = bodies.clone();
            let upstream = Upstream::start(move |connection| {
                let number = connection.number;
                let Some(mut frames) = Frames::begin(connection, &[]) else { return };
                while let Some(stream) = frames.request() {
                    heard.lock().unwrap().push(frames.body(stream));
                    match (number, is_refused) {
                        (0, true) if heard.lock().unwrap().len() == 1 => frames.reset(stream, 7),
                        (0..3, false) => frames.go_away(0, 0),
                        _ => frames.ok(stream, "again"),
                    }
                }
            });
            let proxy = before_frames(&upstream, &[]);
            let mut client = proxy.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"));
            let answer = client.answer();
            assert_eq!(answer.status, expected, "{length} {is_refused} {answer:?}");
            let bodies = bodies.lock().unwrap();
            assert!(bodies.iter().all(|sent| *sent == length), "{bodies:?}");
            let attempts = match (expected, is_refused) {
                (200, true) => 2,
                (200, false) => 4,
                _ => 1,
            };
            assert_eq!(bodies.len(), attempts, "{length} {is_refused}");
        }
    }
}

#[test]
fn a_body_goes_again_only_if_none_of_it_was_read() {
    for (early, status) in [("", 200), ("he", 502)] {
        let (upstream, asked) = failing_first(|frames, stream| frames.reset(stream, 7));
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{early}"));
        until("the first request has come", || (asked.load(SeqCst) > 0).then_some(()));
        if status == 200 {
            until("the second request has come", || (asked.load(SeqCst) > 1).then_some(()));
            client.try_send(&"hello"[early.len()..]);
        }
        assert_eq!(client.answer().status, status, "{early}");
    }
}

/// An upstream that takes few requests over each connection, and many that come at once
#[test]
fn a_request_goes_again_for_as_long_as_others_are_answered() {
    for (taken, status) in [(1, 200), (0, 502)] {
        let upstream = Upstream::start(move |connection| {
            let Some(mut frames) = Frames::begin(connection, &[(MAX_CONCURRENT_STREAMS, 50)]) else { return };
            // Requests are there together, and the last of them are taken by chance after many attempts.
            let Some(first) = frames.request() else { return };
            if taken > 0 {
                frames.ok(first, "ok");
            }
            frames.go_away(if taken > 0 { first } else { 0 }, 0);
            while frames.next().is_some() {}
        });
        let proxy = before_frames(&upstream, &[]);
        let mut clients: Vec<_> = (0..30).map(|_| proxy.client()).collect();
        for client in &mut clients {
            client.send(GET);
        }
        for client in &mut clients {
            assert_eq!(client.answer().status, status, "{taken}");
        }
        proxy.stop();
    }
}

/// An upstream that goes away waits until its connections are closed.
#[test]
fn a_connection_that_goes_away_is_closed_with_its_last_answer() {
    for is_idle in [false, true] {
        let (closed, told) = mpsc::channel();
        let (answer, go_on) = mpsc::channel();
        let go_on = Mutex::new(go_on);
        let upstream = Upstream::start(move |connection| {
            let Some(mut frames) = Frames::begin(connection, &[]) else { return };
            let Some(stream) = frames.request() else { return };
            if is_idle {
                frames.ok(stream, "ok");
            }
            go_on.lock().unwrap().recv().unwrap();
            frames.go_away(stream, 0);
            if !is_idle {
                frames.ok(stream, "ok");
            }
            while frames.next().is_some() {}
            closed.send(()).unwrap();
        });
        let proxy = before_frames(&upstream, &[]);
        let mut client = proxy.client();
        client.send(GET);
        if is_idle {
            assert_eq!(client.answer().status, 200);
        }
        answer.send(()).unwrap();
        if !is_idle {
            assert_eq!(client.answer().status, 200);
        }
        // Much sooner than an idle connection ends
        told.recv_timeout(Duration::from_secs(5)).unwrap();
        proxy.stop();
    }
}

#[test]
fn an_upstream_that_restarts_costs_no_request() {
    // Goes away gracefully after each few requests, as a server does in a rollout.
    let upstream = Upstream::start(|connection| {
        let Some(mut frames) = Frames::begin(connection, &[(MAX_CONCURRENT_STREAMS, 50)]) else { return };
        let mut last = 0;
        for _ in 0..5 {
            let Some(stream) = frames.request() else { return };
            frames.ok(stream, "ok");
            last = stream;
        }
        frames.go_away(last, 0);
        let _ = frames.0.stream.set_read_timeout(Some(Duration::from_millis(200)));
        while frames.next().is_some() {}
    });
    let proxy = before_frames(&upstream, &[]);
    let address = proxy.address;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::new(address);
                for number in 0..100 {
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
                    let answer = client.answer();
                    assert_eq!(answer.status, 200, "{number}: {answer:?}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(upstream.connections() >= 80, "{}", upstream.connections());
}

#[test]
fn requests_wait_for_an_upstream_that_allows_none_and_not_for_ever() {
    let is_raised = Arc::new(AtomicBool::new(false));
    let raised = is_raised.clone();
    let upstream = Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[(MAX_CONCURRENT_STREAMS, 0)]) else { return };
        until("requests are allowed", || raised.load(SeqCst).then_some(()));
        frames.send(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]);
        while let Some(stream) = frames.request() {
            frames.ok(stream, "ok");
        }
    });
    let proxy = before_frames(&upstream, &[]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-full")), (503, 1), "{answer:?}");
    let mut waiting = proxy.client();
    waiting.send(GET);
    until("it waits", || (proxy.active() == 1).then_some(()));
    is_raised.store(true, SeqCst);
    assert_eq!(waiting.answer().body, "ok");
    assert!(upstream.connections() <= 2);
}
