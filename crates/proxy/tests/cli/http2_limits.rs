//! The limits of requests over HTTP/2, windows that do not open, and the end of connections.
//!
//! Long because each limit needs a client that stops at its own place.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{Signal, until};
use http::HeaderValue;

use crate::{
    http2_client::{Http2, get, post},
    raw_http2::{
        self, DATA, END_STREAM, ENHANCE_YOUR_CALM, End, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR, PING,
        RST_STREAM, Raw, WINDOW_UPDATE, block, frame, head, request,
    },
    support::{OK, Proxy},
    upstream::Upstream,
};

const CANCEL: u32 = 8;
/// `/long` is answered with more than any window; `/slow` after this time.
const SLOW: Duration = Duration::from_millis(800);

fn upstream() -> Upstream {
    Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains(" /long ") {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                while connection.try_write([b'x'; 16 * 1024]) {}
                return;
            }
            if request.contains(" /slow ") {
                thread::sleep(SLOW);
            }
            connection.write(OK);
        }
    })
}

fn met(proxy: &Proxy, limit: &str) -> u64 {
    proxy.metric(&format!("sidekit_proxy_limits_met_total{{limit=\"{limit}\"}}"))
}

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--header-timeout", "500ms"]);
    let fields = block(&request("GET", "/"));
    let whole = frame(HEADERS, END_STREAM, 1, &fields);
    for (nth, part) in [&whole[..], &whole[..20], &whole[..3]].iter().enumerate() {
        let mut raw = Raw::new(proxy.address);
        let start = Instant::now();
        raw.send(part);
        assert_eq!(raw.end(), End::GoAway(NO_ERROR));
        assert!((400..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        until("it is counted", || (proxy.refusals("slow-head") == nth as u64 + 1).then_some(()));
    }
    // A body has another time.
    let mut raw = Raw::new(proxy.address);
    raw.send(head(1, &request("POST", "/"), 0));
    raw.send(&frame(DATA, END_STREAM, 1, b"body")[..11]);
    thread::sleep(Duration::from_millis(900));
    raw.send(b"dy");
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn an_idle_connection_gets_goaway_and_pings_do_not_keep_it() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "1s", "--header-timeout", "1s"]);
    let mut raw = Raw::new(proxy.address);
    raw.send(raw_http2::get(1, "/"));
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) && raw.try_send(frame(PING, 0, 0, &[1; 8])) {
        thread::sleep(Duration::from_millis(100));
    }
    assert!((900..6000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(met(&proxy, "idle-timeout"), 1);
    // A client that keeps the rules answers, and the connection ends at once.
    let mut client = Http2::new(proxy.address);
    assert!(client.get("/").is_ok());
    client.ended().unwrap();
    // A request under way keeps it.
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "300ms"]);
    assert!(Http2::new(proxy.address).get("/slow").is_ok());
}

#[test]
fn an_upstream_that_is_silent_is_504_and_the_connection_goes_on() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--request-timeout", "300ms"]);
    let mut client = Http2::new(proxy.address);
    for _ in 0..2 {
        let answer = client.get("/slow");
        assert_eq!((answer.status, answer.reason()), (504, "upstream-silent"));
        assert!(client.get("/").is_ok());
    }
}

#[test]
fn too_many_requests_are_503_stream_by_stream() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--max-requests", "2"]);
    let mut client = Http2::new(proxy.address);
    let waiting: Vec<_> = (0..2).map(|_| client.begin(get("/slow"), true).unwrap()).collect();
    upstream.wait_for_requests(2);
    let answer = client.get("/");
    assert_eq!((answer.status, answer.reason(), answer.header("retry-after")), (503, "too-many-requests", "1"));
    for stream in waiting {
        assert!(client.answer(stream).unwrap().is_ok());
    }
}

#[test]
fn a_body_that_stalls_is_408() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--request-timeout", "500ms"]);
    let mut client = Http2::new(proxy.address);
    let mut stream = client.begin(post("/"), false).unwrap();
    stream.sender.send_data("half".into(), false).unwrap();
    let answer = client.answer(stream).unwrap();
    assert_eq!((answer.status, answer.reason()), (408, "slow-body"));
    assert!(client.get("/").is_ok());
}

/// A client that takes nothing of an answer holds neither the upstream's connection nor the others' streams.
#[test]
fn a_window_that_does_not_open_ends_the_stream() {
    for (arguments, limit) in [
        (["--idle-timeout", "1s", "--request-timeout", "1m"], "idle-timeout"),
        (["--idle-timeout", "1m", "--request-timeout", "1s"], "request-timeout"),
    ] {
        let upstream = upstream();
        let proxy = Proxy::start(&upstream, &arguments);
        // No window at all, one byte of it, and all of the connection's
        for (nth, window) in [0, 1, 1 << 20].into_iter().enumerate() {
            let mut raw = Raw::with_settings(proxy.address, &[(INITIAL_WINDOW_SIZE, window)]);
            raw.send(raw_http2::get(1, "/long"));
            assert_eq!(raw.end_of(1), End::Reset(CANCEL, Some(200)), "{limit} {window}");
            upstream.wait_for_closed(nth + 1);
            assert_eq!(met(&proxy, limit), nth as u64 + 1);
            // The connection is not worse for it.
            raw.send(frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]));
            raw.send([raw_http2::get(3, "/"), frame(WINDOW_UPDATE, 0, 3, &[0, 1, 0, 0])].concat());
            assert_eq!(raw.end_of(3), End::Answer(200, b"ok".to_vec()), "{limit} {window}");
        }
        assert_eq!(proxy.active(), 0);
    }
}

/// A hundred streams whose windows stay shut hold a bounded part of their answers.
#[test]
fn streams_that_wait_hold_little_memory() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &[]);
    assert_eq!(proxy.client().get("/").status, 200);
    let before = proxy.metric("process_resident_memory_bytes");
    let mut raw = Raw::with_settings(proxy.address, &[(INITIAL_WINDOW_SIZE, 1)]);
    for stream in (1..200).step_by(2) {
        raw.send(raw_http2::get(stream, "/long"));
    }
    upstream.wait_for_requests(100);
    let mut other = Http2::new(proxy.address);
    for _ in 0..20 {
        assert!(other.get("/").is_ok());
        thread::sleep(Duration::from_millis(50));
    }
    let each = proxy.metric("process_resident_memory_bytes").saturating_sub(before) / 100;
    assert!(each < 256 * 1024, "{each} bytes a stream");
    drop(raw);
    until("nothing is left", || (proxy.active() == 0).then_some(()));
}

/// A client that sends more than a window is wrong, and one that fills it waits for the upstream.
#[test]
fn uploads_are_held_back_to_the_window() {
    let upstream = Upstream::start(|connection| {
        connection.head();
        thread::sleep(Duration::from_secs(3));
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "1m"]);
    let mut raw = Raw::new(proxy.address);
    raw.send(head(1, &request("POST", "/"), 0));
    // The upstream's socket takes megabytes; windows open for those.
    let mut room: i64 = 65_535;
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(2) {
        while room >= 16_384 {
            raw.send(frame(DATA, 0, 1, &vec![b'x'; 16_384]));
            (room, sent) = (room - 16_384, sent + 16_384);
        }
        if !raw.has_more(Duration::from_millis(200)) {
            break;
        }
        let update = raw.until(WINDOW_UPDATE);
        if update.stream == 1 {
            room += i64::from(u32::from_be_bytes(*update.payload.first_chunk().unwrap()));
        }
    }
    assert!((49_152..20_000_000).contains(&sent), "{sent}");
    raw.try_send(frame(DATA, 0, 1, &vec![b'x'; 16_384]).repeat(5));
    let end = raw.end_of(1);
    assert!(matches!(end, End::Reset(3, None) | End::GoAway(3)), "FLOW_CONTROL_ERROR: {end:?}");
}

#[test]
fn a_stop_says_goaway_in_two_steps_and_serves_what_comes_between() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::new(proxy.address);
    raw.send(raw_http2::get(1, "/slow"));
    upstream.wait_for_requests(1);
    proxy.program.signal(Signal::TERM);
    let first = raw.until(GOAWAY);
    assert_eq!(first.payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let ping = raw.until(PING);
    // On its way before the client knew
    raw.send(raw_http2::get(3, "/slow"));
    raw.send(frame(PING, raw_http2::ACK, 0, &ping.payload));
    let last = raw.until(GOAWAY);
    assert_eq!(last.payload, [0, 0, 0, 3, 0, 0, 0, 0]);
    // Afterwards it is not processed.
    raw.send(raw_http2::get(5, "/"));
    let (mut answers, mut others) = (Vec::new(), 0);
    while let Some(frame) = raw.next() {
        match frame.kind {
            DATA if frame.flags & END_STREAM != 0 => answers.push(frame.stream),
            RST_STREAM => others += 1,
            _ => assert_ne!(frame.stream, 5),
        }
    }
    assert_eq!((answers, others), (vec![1, 3], 0));
    let ended = proxy.program.end();
    assert_eq!((ended.code, upstream.requests().len()), (Some(0), 2));
}

#[test]
fn a_stop_ends_idle_connections_and_those_that_never_answer() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--header-timeout", "1s"]);
    let mut client = Http2::new(proxy.address);
    assert!(client.get("/").is_ok());
    let mut deaf = Raw::new(proxy.address);
    deaf.send(raw_http2::get(1, "/"));
    assert_eq!(deaf.end_of(1), End::Answer(200, b"ok".to_vec()));
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    client.ended().unwrap();
    assert_eq!(deaf.end(), End::GoAway(NO_ERROR));
    assert_eq!(proxy.program.end().code, Some(0));
    harness::assert_at_once(start);
}

#[test]
fn a_reload_keeps_connections_and_new_requests_meet_the_new_plan() {
    let (first, second) = (Upstream::answering(OK), Upstream::answering(OK));
    let plan = |upstream: &Upstream| {
        format!(
            "listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n  - upstream: '{}'\n",
            upstream.url()
        )
    };
    let (_directory, file) = harness::config_file(&plan(&first));
    let proxy = Proxy::run(&["--config", &file]);
    let mut client = Http2::new(proxy.address);
    assert!(client.get("/").is_ok());
    std::fs::write(&file, plan(&second)).unwrap();
    proxy.program.signal(Signal::HUP);
    until("the new upstream is asked", || {
        assert!(client.get("/").is_ok());
        (!second.requests().is_empty()).then_some(())
    });
    assert_eq!(proxy.counted("sidekit_proxy_accepted_connections_total"), 1);
}

/// The access log and the metrics know what was spoken.
#[test]
fn the_books_are_those_of_http_1() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    let mut client = Http2::new(proxy.address);
    let mut request = get("/path?q");
    request.headers_mut().insert("user-agent", HeaderValue::from_static("test"));
    assert!(client.request(request, "").is_ok());
    // A client that gives up its stream
    let mut raw = Raw::new(proxy.address);
    raw.send(raw_http2::get(1, "/slow"));
    upstream.wait_for_requests(2);
    raw.send(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    until("it has ended", || (proxy.active() == 0).then_some(()));
    drop((client, raw));
    let log = proxy.stop().stdout;
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(
        (&lines[0]["network.protocol.version"], &lines[0]["server.address"]),
        (&"2".into(), &"app".into()),
        "{log}"
    );
    assert_eq!(
        (&lines[0]["url.path"], &lines[0]["http.response.status_code"]),
        (&"/path".into(), &200.into()),
        "{log}"
    );
    assert_eq!(
        (&lines[1]["error.type"], &lines[1]["http.response.status_code"]),
        (&"client-gone".into(), &499.into()),
        "{log}"
    );
}

#[test]
fn floods_of_every_kind_leave_the_proxy_as_it_was() {
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &[]);
    for _ in 0..20 {
        let mut raw = Raw::new(proxy.address);
        raw.try_send(frame(PING, 0, 0, &[7; 8]).repeat(1200));
        assert!(matches!(raw.end(), End::GoAway(ENHANCE_YOUR_CALM) | End::Closed));
    }
    until("all have ended", || (proxy.counted("sidekit_proxy_connections") == 0).then_some(()));
    assert!(Http2::new(proxy.address).get("/").is_ok());
    proxy.stop();
}
