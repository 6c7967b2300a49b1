//! Clients of HTTP/2 that read slowly, or send in small pieces, and are none of those that do
//! nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::until;
use socket2::{Domain, Socket, Type};

use crate::{
    raw_http2::{
        self, ACK, DATA, END_STREAM, End, INITIAL_WINDOW_SIZE, PING, RST_STREAM, Raw, WINDOW_UPDATE, frame, head,
        request,
    },
    support::{OK, Proxy, Signal},
    upstream::Upstream,
};

/// Bytes of a download: more than all buffers on its way, so that it lasts
const LENGTH: usize = 4_000_000;
/// The largest window (RFC 9113, section 6.9.1)
const WINDOW: u32 = (1 << 31) - 1;

fn upstream() -> Upstream {
    Upstream::start(|connection| {
        if connection.head().is_some() {
            connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
            connection.try_write(vec![b'x'; LENGTH]);
        }
    })
}

/// A client with wide windows whose kernel takes few bytes, perhaps in segments of this size
fn narrow(proxy: &Proxy, room: usize, segment: Option<u32>) -> Raw {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(room).unwrap();
    if let Some(segment) = segment {
        socket.set_tcp_mss(segment).unwrap();
    }
    socket.connect(&proxy.address.into()).unwrap();
    let mut raw = Raw::over(socket.into(), &[(INITIAL_WINDOW_SIZE, WINDOW)]);
    raw.send(frame(WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes()));
    raw
}

/// A client sends windows while it reads, and the kernel must not throw away what it has for it
/// when they come behind the close.
#[test]
fn a_slow_download_ends_whole_in_a_drain() {
    /// Between two frames of 16 KiB
    const PAUSE: Duration = Duration::from_millis(15);
    let upstream = upstream();
    // Shorter than the download, so that the client must have said by then that it knows of the
    // end.
    let proxy = Proxy::start(&upstream, &["--header-timeout", "200ms"]);
    let mut raw = narrow(&proxy, 64 * 1024, None);
    raw.send(raw_http2::get(1, "/"));
    let mut length = raw.until(DATA).payload.len();
    let mut has_ended = false;
    proxy.program.signal(Signal::TERM);
    while let Some(frame) = raw.next() {
        match frame.kind {
            DATA => {
                length += frame.payload.len();
                has_ended |= frame.flags & END_STREAM != 0;
                let window = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
                raw.try_send(raw_http2::frame(WINDOW_UPDATE, 0, 0, &window));
                thread::sleep(PAUSE);
            }
            PING => {
                raw.try_send(raw_http2::frame(PING, ACK, 0, &frame.payload));
            }
            _ => (),
        }
    }
    assert_eq!((length, has_ended), (LENGTH, true));
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// Each of a hundred answers waits for its turn for longer than a client may give no window.
#[test]
fn many_downloads_share_a_slow_connection() {
    const STREAMS: u32 = 100;
    /// Between two frames of 16 KiB: a round of all streams takes twice the time of
    /// `--idle-timeout`
    const PAUSE: Duration = Duration::from_millis(40);
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "2s", "--request-timeout", "5m"]);
    // Small segments keep the proxy's own buffer small, so that it writes often.
    let mut raw = narrow(&proxy, 4096, Some(1400));
    raw.send((0..STREAMS).flat_map(|number| raw_http2::get(2 * number + 1, "/")).collect::<Vec<_>>());
    for _ in 0..STREAMS * 3 {
        let frame = raw.next().expect("the connection goes on");
        assert_ne!(frame.kind, RST_STREAM, "{frame:?}");
        if frame.kind == DATA {
            thread::sleep(PAUSE);
        }
    }
    assert_eq!(proxy.metric("sidekit_proxy_limits_met_total{limit=\"idle-timeout\"}"), 0);
}

/// The kernel has bytes for the client, which the end of the connection must not wait for.
#[test]
fn a_client_that_reads_nothing_keeps_its_connection_no_longer_than_the_idle_timeout() {
    /// Far less than the 30 s that a client has which reads slowly
    const SOON: Duration = Duration::from_secs(15);
    let upstream = upstream();
    let proxy = Proxy::start(&upstream, &["--idle-timeout", "500ms"]);
    let mut raw = narrow(&proxy, 4096, None);
    raw.send(raw_http2::get(1, "/"));
    let is_met = || proxy.metric("sidekit_proxy_limits_met_total{limit=\"idle-timeout\"}") == 1;
    until("the proxy gives the client up", || is_met().then_some(()));
    let start = Instant::now();
    until("the connection is closed", || (proxy.counted("sidekit_proxy_connections") == 0).then_some(()));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// Each read ends inside of the header of a frame, and of another one each time.
#[test]
fn each_frame_has_its_own_time_for_its_header() {
    const PIECE: Duration = Duration::from_millis(100);
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--header-timeout", "500ms"]);
    let mut raw = Raw::new(proxy.address);
    raw.send(head(1, &request("POST", "/"), 0));
    let frames = [frame(DATA, 0, 1, b"0123456789").repeat(20), frame(DATA, END_STREAM, 1, b"")].concat();
    let (first, rest) = frames.split_at(4);
    raw.send(first);
    for piece in rest.chunks(19) {
        thread::sleep(PIECE);
        raw.try_send(piece);
    }
    assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
    assert_eq!(proxy.refusals("slow-head"), 0);
}
