//! HTTP/2 clients that attack with frames: each costs little and ends, and another client is served all the while.
//! Long because each flood is a test by itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    raw_http2::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
        PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, get,
        head, request,
    },
    support::{OK, Proxy},
    upstream::Upstream,
};

/// An app that takes a moment, as long as `wait` says
fn app(wait: Duration) -> Upstream {
    Upstream::start(move |connection| {
        while connection.request().is_some() {
            thread::sleep(wait);
            connection.write(OK);
        }
    })
}

/// CPU time of the proxy, and its memory at most
fn cost(proxy: &Proxy) -> (Duration, u64) {
    let (id, ticks) = (proxy.program.id(), 100);
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let used: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    (Duration::from_millis(used * 1000 / ticks), peak.unwrap() * 1024)
}

/// Sends the same bytes again and again until the proxy ends the connection, and says how. Another client asks all the while, and the
/// proxy spends little.
#[track_caller]
fn flooded(proxy: &Proxy, raw: &mut Raw, mut next: impl FnMut(u32) -> Vec<u8>) -> End {
    const MOST: u32 = 200_000;
    // The first of everything costs more.
    proxy.client().get("/");
    let (before, start) = (cost(proxy), Instant::now());
    let mut other = proxy.client();
    let mut sent = 0;
    while sent < MOST && raw.try_send((0..100).flat_map(|nth| next(sent + nth)).collect::<Vec<_>>()) {
        if sent % 1000 == 0 {
            assert_eq!(other.get("/").status, 200);
        }
        sent += 100;
    }
    assert!(sent < MOST, "the flood has no end");
    let end = raw.end();
    assert_eq!(other.get("/").status, 200);
    let after = cost(proxy);
    let (cpu, memory) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    assert!(cpu < Duration::from_secs(1) && memory < 4_000_000, "{cpu:?} and {memory} bytes in {:?}", start.elapsed());
    end
}

fn is_calmed(end: &End) -> bool {
    // The reset of a socket with unread bytes may overtake the frame.
    matches!(end, End::GoAway(ENHANCE_YOUR_CALM) | End::Closed)
}

#[test]
fn frames_that_serve_no_request() {
    let floods: [(&str, Vec<u8>); 8] = [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("PING that acknowledges nothing", frame(PING, ACK, 0, &[7; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0].repeat(5))),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("GOAWAY", frame(GOAWAY, 0, 0, &[0; 8])),
        ("an unknown type", frame(0x42, 0xff, 1, b"anything")),
        ("DATA without payload", frame(DATA, 0, 1, b"")),
    ];
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &[]);
    for (nth, (name, bytes)) in floods.iter().enumerate() {
        let mut raw = Raw::new(proxy.address);
        raw.send(head(1, &request("POST", "/"), 0));
        let end = flooded(&proxy, &mut raw, |_| bytes.clone());
        assert!(is_calmed(&end), "{name}: {end:?}");
        harness::until(name, || (proxy.refusals("flood") == nth as u64 + 1).then_some(()));
    }
    let line = format!("{:?}", proxy.stop().log);
    assert!(!line.contains("recv PING ack"), "{line}");
}

/// The end is said in a frame. Under load the connection is older, so that it may send more.
#[test]
fn a_flood_ends_with_enhance_your_calm_and_the_highest_stream() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::new(proxy.address);
    raw.send(get(5, "/"));
    assert_eq!(raw.end_of(5), End::Answer(200, b"ok".to_vec()));
    raw.send(frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9]).repeat(4000));
    let goaway = raw.until(GOAWAY);
    assert_eq!(goaway.payload, [0, 0, 0, 5, 0, 0, 0, 11]);
    assert_eq!(raw.next(), None);
}

#[test]
fn as_many_frames_as_answers_ask_for_are_no_flood() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::new(proxy.address);
    for stream in (1..2001).step_by(2) {
        raw.send([get(stream, "/"), frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 2]).repeat(4)].concat());
        assert_eq!(raw.end_of(stream), End::Answer(200, b"ok".to_vec()), "{stream}");
    }
    assert_eq!(proxy.refusals("flood"), 0);
}

#[test]
fn rapid_reset() {
    let upstream = app(Duration::from_millis(200));
    let proxy = Proxy::start(&upstream, &[]);
    let reset = |stream: u32| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    // Many in one packet: h2 reads them before it begins any.
    let mut raw = Raw::new(proxy.address);
    let end = flooded(&proxy, &mut raw, |nth| [get(2 * nth + 1, "/"), reset(2 * nth + 1)].concat());
    assert!(is_calmed(&end), "{end:?}");
    // One after the other, so that each begins: the proxy gives up each request, and ends it at a thousand.
    let mut raw = Raw::new(proxy.address);
    let (before, mut sent) = (cost(&proxy), 0);
    for stream in (1..4001).step_by(2) {
        let ping = frame(PING, 0, 0, &[1; 8]);
        if !raw.try_send([get(stream, "/"), ping].concat()) || raw.next().is_none() {
            break;
        }
        sent += 1;
        raw.try_send(reset(stream));
    }
    assert!((400..1200).contains(&sent), "{sent}");
    assert_eq!(proxy.client().get("/").status, 200);
    let after = cost(&proxy);
    assert!(after.0.saturating_sub(before.0) < Duration::from_secs(3), "{before:?} {after:?}");
    harness::until("they are counted", || (proxy.refusals("flood") == 2).then_some(()));
    harness::until("nothing is left of them", || (proxy.active() == 0).then_some(()));
    // Connections that are counted fill no log.
    let log = format!("{:?}", proxy.stop().log);
    assert!(!log.contains("reached limit"), "{log}");
}

#[test]
fn too_many_streams_at_once_are_refused_and_then_the_connection() {
    let upstream = app(Duration::from_secs(1));
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::new(proxy.address);
    for stream in (1..241).step_by(2) {
        raw.send(get(stream, "/"));
    }
    assert_eq!(raw.end_of(201), End::Reset(REFUSED_STREAM, None));
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    let mut raw = Raw::new(proxy.address);
    let end = flooded(&proxy, &mut raw, |nth| get(2 * nth + 1, "/"));
    assert!(is_calmed(&end), "{end:?}");
}

#[test]
fn a_head_in_too_many_frames() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &[]);
    for payload in [&b""[..], &block(&[("x", "1")])] {
        let mut raw = Raw::new(proxy.address);
        raw.send(frame(HEADERS, END_STREAM, 1, &block(&request("GET", "/"))));
        let end = flooded(&proxy, &mut raw, |_| frame(CONTINUATION, 0, 1, payload));
        assert!(is_calmed(&end), "{end:?}");
    }
    // A few are fine.
    let mut raw = Raw::new(proxy.address);
    raw.send(frame(HEADERS, END_STREAM, 1, b""));
    for field in request("GET", "/") {
        raw.send(frame(CONTINUATION, 0, 1, &block(&[field])));
    }
    raw.send(frame(CONTINUATION, END_HEADERS, 1, &block(&[("x", "1")])));
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
}

/// Four thousand bytes in the table, and a block of indexes to them: sixteen megabytes in four thousand bytes
#[test]
fn an_hpack_bomb() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &[]);
    let long = "x".repeat(4000);
    // A literal that is indexed (RFC 7541, section 6.2.1)
    let mut indexed = block(&[("a", &long)]);
    indexed[0] = 0x40;
    for count in [60, 4000] {
        let before = cost(&proxy);
        let mut raw = Raw::new(proxy.address);
        raw.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &[block(&request("GET", "/")), indexed.clone()].concat()));
        assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
        raw.send(frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            3,
            &[block(&request("GET", "/")), vec![0xbe; count]].concat(),
        ));
        if count == 60 {
            assert!(matches!(raw.end_of(3), End::Answer(431, _) | End::Reset(PROTOCOL_ERROR, Some(431))));
        } else {
            assert_eq!(raw.end(), End::GoAway(ENHANCE_YOUR_CALM));
        }
        let after = cost(&proxy);
        assert!(after.1.saturating_sub(before.1) < 2_000_000, "{before:?} {after:?}");
    }
    harness::until("both are counted", || {
        (proxy.refusals("head-too-large") == 1 && proxy.refusals("flood") == 1).then_some(())
    });
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn fields_by_count_and_size() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &["--max-header-size", "8KiB"]);
    let (long, longer, longest) = ("x".repeat(9_000), "x".repeat(15_000), "x".repeat(8_000));
    let small: Vec<_> = request("GET", "/").into_iter().chain([("x", "1"); 120]).collect();
    let smaller: Vec<_> = request("GET", "/").into_iter().chain(std::iter::repeat_n(("x", ""), 3000)).collect();
    let with = |value| [&request("GET", "/")[..], &[("x", value)]].concat();
    let mut raw = Raw::new(proxy.address);
    for (stream, fields) in (1..).step_by(2).zip([&with(&long), &with(&longer), &small]) {
        raw.send(head(stream, fields, END_STREAM));
        let end = raw.end_of(stream);
        assert!(matches!(&end, End::Answer(431, body) if body.ends_with(b"head-too-large\n")), "{stream}: {end:?}");
    }
    harness::until("they are counted", || (proxy.refusals("head-too-large") == 3).then_some(()));
    // Of what is far too large, h2 keeps nothing.
    let mut raw = Raw::new(proxy.address);
    raw.send(head(1, &smaller, END_STREAM));
    assert_eq!(raw.end(), End::GoAway(ENHANCE_YOUR_CALM));
    let mut raw = Raw::new(proxy.address);
    raw.send(frame(HEADERS, END_STREAM, 1, &block(&with(&longest))));
    for nth in 0..9 {
        raw.try_send(frame(CONTINUATION, 0, 1, &block(&[("x", &longest), ("y", &nth.to_string())])));
    }
    assert!(is_calmed(&raw.end()));
    assert_eq!((proxy.client().get("/").status, upstream.requests().len()), (200, 1));
}

/// Frames that need a stream, on streams that have ended, were reset, or never began
#[test]
fn frames_on_closed_and_idle_streams() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &[]);
    let finished = |proxy: &Proxy| {
        let mut raw = Raw::new(proxy.address);
        raw.send(get(1, "/"));
        assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
        raw
    };
    // Late ones are ignored or refused, and the connection goes on.
    let mut raw = finished(&proxy);
    raw.send(frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]));
    raw.send(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    raw.send(get(3, "/"));
    assert_eq!(raw.end_of(3), End::Answer(200, b"ok".to_vec()));
    // What no client sends by accident ends it.
    for bytes in [
        frame(DATA, 0, 5, b"x"),
        frame(RST_STREAM, 0, 5, &[0, 0, 0, 8]),
        frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]),
        frame(CONTINUATION, 0, 1, b""),
        frame(DATA, 0, 0, b"x"),
        head(0, &request("GET", "/"), 0),
        head(2, &request("GET", "/"), 0),
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(SETTINGS, ACK, 0, b"").repeat(3),
        frame(0x5, END_HEADERS, 1, &[0; 9]),
        frame(PING, 0, 0, b"short"),
        frame(DATA, 0, 1, &vec![0; 17_000]),
    ] {
        let mut raw = finished(&proxy);
        raw.send(&bytes);
        let end = raw.end();
        assert!(matches!(end, End::GoAway(code) if code != 0), "{bytes:?}: {end:?}");
    }
    let mut raw = finished(&proxy);
    let end = flooded(&proxy, &mut raw, |_| frame(DATA, 0, 1, b"late"));
    assert!(matches!(end, End::GoAway(_) | End::Closed), "{end:?}");
}

/// Bytes of a client that are not HTTP/2 at all, behind a preface that is
#[test]
fn nonsense_behind_the_preface() {
    let upstream = app(Duration::ZERO);
    let proxy = Proxy::start(&upstream, &["--header-timeout", "1s"]);
    let mut raw = Raw::silent(proxy.address);
    raw.send(crate::raw_http2::PREFACE);
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
    assert!(matches!(raw.end(), End::GoAway(_) | End::Closed));
    let mut raw = Raw::silent(proxy.address);
    raw.send(crate::raw_http2::PREFACE);
    raw.send(get(1, "/"));
    // Settings come first (RFC 9113, section 3.4); h2 does not ask for them.
    assert!(matches!(raw.end_of(1), End::Answer(200, _) | End::GoAway(PROTOCOL_ERROR)));
}

/// A window that does not open, for streams or for the connection
#[test]
fn settings_that_open_and_close_every_window() {
    let upstream = app(Duration::from_secs(2));
    let proxy = Proxy::start(&upstream, &[]);
    let mut raw = Raw::with_settings(proxy.address, &[(INITIAL_WINDOW_SIZE, 0)]);
    raw.send((0..100).flat_map(|nth| get(2 * nth + 1, "/")).collect::<Vec<_>>());
    upstream.wait_for_requests(100);
    let end = flooded(&proxy, &mut raw, |nth| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, u8::from(nth % 2 == 0)]));
    assert!(is_calmed(&end), "{end:?}");
}
