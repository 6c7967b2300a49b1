//! The begin of a drain, as clients of HTTP/2 see it.

use crate::{
    http2_client::Http2,
    raw_http2::{self, END_STREAM, End, GOAWAY, PING, Raw, frame, get, head},
    support::{OK, Proxy},
    upstream::Upstream,
};

/// An app that stops first, as in front of a native sidecar, is gone before the proxy closes its listener.
#[test]
fn a_drain_says_goaway_at_once_also_to_connections_without_an_answer() {
    let upstream = Upstream::answering(OK);
    let (proxy, admin) = Proxy::with_admin(&upstream);
    let connect = |frames: &[u8]| {
        let mut raw = Raw::new(proxy.address);
        raw.send(frames);
        raw.send(frame(PING, 0, 0, b"received"));
        while raw.until(PING).payload != b"received" {}
        raw
    };
    let (mut idle, mut unused) = (connect(&[]), connect(&[]));
    idle.send(get(1, "/"));
    assert_eq!(idle.end_of(1), End::Answer(200, b"ok".to_vec()));
    let mut quiet = connect(&head(1, &raw_http2::request("POST", "/"), 0));
    assert_eq!(harness::http::ask(admin, "POST", "/drain").status, 200);
    for (raw, stream) in [(&mut idle, 3), (&mut quiet, 3), (&mut unused, 1)] {
        assert_eq!(raw.until(GOAWAY).payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        // On its way before the client knew
        raw.send(get(stream, "/"));
        assert_eq!(raw.end_of(stream), End::Answer(200, b"ok".to_vec()));
    }
    quiet.send(frame(raw_http2::DATA, END_STREAM, 1, b"the end"));
    assert_eq!(quiet.end_of(1), End::Answer(200, b"ok".to_vec()));
    // Others may still find this proxy, and have their first stream.
    let mut late = Http2::new(proxy.address);
    assert!(late.get("/").is_ok());
    late.ended().unwrap();
    proxy.stop();
}
