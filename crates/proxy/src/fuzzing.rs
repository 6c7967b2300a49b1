//! The door for fuzz targets, which are a crate of their own: heads of requests, frames, events and configurations, as others wrote
//! them.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use clap::Parser;
use http::{
    Request, Response,
    header::{CONNECTION, CONTENT_LENGTH, FORWARDED, HOST, TE, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
};

use crate::{
    args::Args,
    config::Config,
    event_stream::Events,
    frames::{Frame, Frames, allowance::Allowance},
    head::{
        forwarded::{
            Forwarded,
            trace_context::{BeginTrace, Traces},
        },
        hop_by_hop::seen::Seen,
        raw_head::RawHead,
        request_head,
    },
    peer::Peer,
    plan::Plan,
    refusal::Refusal,
    rewrite,
    websocket::frames::{self as websocket, Place, Sender},
};

/// Never part of an error
const SECRET: &str = "hunter2";
/// A listener whose routes match by host and by path, and a client that is trusted
const CONFIG: &str = "listeners:
- address: ':1'
  direction: inbound
  trusted-proxies: [127.0.0.1]
  routes:
  - {host: a, path: /b, upstream: 'http://a'}
  - {path: /c, upstream: 'http://b', ambiguous-paths: true}
  - {upstream: 'http://c'}
";

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    static ARGS: Args = Args::parse_from(["proxy", "--config", "c.yaml"]);
    static PLAN: Plan = plan(CONFIG).expect("a plan");
}

/// Reads any bytes as a client's connection, in pieces of this length. Each head that is not refused goes on in one unambiguous form.
pub fn head(bytes: &[u8], piece: u8, is_trusted: bool) {
    let raw = Rc::new(RawHead::default());
    let io = Client { bytes: bytes.to_vec(), at: 0, piece: usize::from(piece).max(1), raw: raw.clone() };
    let client = if is_trusted { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(192, 0, 2, 1) };
    let service = service_fn(|request: Request<Incoming>| {
        let mut head = request.into_parts().0;
        let forwarded = raw
            .judge(&head.headers, Seen::of(&head.headers))
            .and_then(|()| forward(&mut head, IpAddr::from(client).into()));
        if forwarded.is_ok() {
            assert_unambiguous(&head);
        }
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
    RUNTIME.with(|runtime| drop(runtime.block_on(connection)));
}

/// Reads any bytes as the frames of an HTTP/2 client, in pieces of this length: the same frames as in one piece, and never more than
/// the allowance has.
pub fn frames(bytes: &[u8], piece: u8) {
    let found = |piece| {
        let (mut frames, mut allowance, mut found) =
            (Frames::of_client(), Allowance::new(), Vec::<(Frame, bool)>::new());
        for bytes in bytes.chunks(piece) {
            frames.pass(bytes, |frame| found.push((frame, allowance.received(frame, || Duration::ZERO))));
        }
        assert!(!frames.is_between() || bytes.len() > 23, "a preface is no frame");
        found
    };
    assert_eq!(found(usize::from(piece).max(1)), found(bytes.len().max(1)));
}

/// Reads any text as a configuration. No message about its faults holds a value.
pub fn configuration(text: &str) {
    match plan(text) {
        Ok(plan) => {
            for route in plan.listeners.iter().flat_map(|listener| listener.routes.all()) {
                assert!(route.upstream < plan.upstreams.len() && route.path.starts_with('/'));
            }
        }
        Err(error) => assert!(!format!("{error:#}").contains(SECRET), "{error:#}"),
    }
}

/// Reads any bytes as a stream that a drain can end, in pieces of this length: as frames of a WebSocket and as events. The places where it can
/// end do not depend on the pieces.
pub fn stream(bytes: &[u8], piece: u8) {
    let piece = usize::from(piece).max(1);
    for sender in [Sender::Client, Sender::Server] {
        assert_eq!(websocket_frames(sender, bytes, piece), websocket_frames(sender, bytes, bytes.len().max(1)));
    }
    assert_eq!(events(bytes, piece), events(bytes, bytes.len().max(1)));
}

/// Where the frames end, and the place behind all bytes
fn websocket_frames(sender: Sender, bytes: &[u8], piece: usize) -> (Vec<usize>, Place) {
    let (mut frames, mut ends) = (websocket::Frames::of(sender), Vec::new());
    for (begin, piece) in bytes.chunks(piece).enumerate().map(|(at, bytes)| (at * piece, bytes)) {
        let mut at = 0;
        while at < piece.len() {
            let passed = frames.pass(&piece[at..]);
            assert!((1..=piece.len() - at).contains(&passed));
            at += passed;
            match frames.place() {
                Place::WithinFrame => assert_eq!(at, piece.len()),
                Place::BetweenMessages | Place::BetweenFrames => ends.push(begin + at),
                Place::BehindClose | Place::Lost => assert_eq!(frames.pass(&piece[at..]), piece.len() - at),
            }
        }
    }
    (ends, frames.place())
}

/// Where the events end
fn events(bytes: &[u8], piece: usize) -> Vec<usize> {
    let (mut events, mut ends) = (Events::default(), Vec::new());
    for (begin, piece) in bytes.chunks(piece).enumerate().map(|(at, bytes)| (at * piece, bytes)) {
        let mut at = 0;
        while let Some(passed) = events.pass_to_end_of_event(&piece[at..]) {
            assert!(passed > 0 && events.is_between());
            at += passed;
            ends.push(begin + at);
        }
    }
    ends
}

fn plan(text: &str) -> anyhow::Result<Plan> {
    ARGS.with(|args| {
        let config = lifecycle::config::judged::<Config>(Path::new("c.yaml"), text, args)?;
        // Judged by the same function a moment ago.
        Ok(Plan::of(args, Some(&config.listeners)).expect("a judged configuration is a plan"))
    })
}

/// The way of a head in `handler.rs`
fn forward(head: &mut Parts, client: Peer) -> Result<(), Refusal> {
    let seen = Seen::of(&head.headers);
    let seen = request_head::complete(head, seen);
    request_head::judge(head, seen)?;
    PLAN.with(|plan| {
        let listener = &plan.listeners[0];
        let route = &listener.routes.all()[listener.routes.find(&head.uri, &head.headers)?];
        if rewrite::may_go_on(&head.method, &mut head.headers) {
            let (forwarded, traces) = (Forwarded::new(client), Traces::new(BeginTrace::Sampled));
            let upstream = &plan.upstreams[route.upstream];
            rewrite::to_upstream(head, listener, &forwarded, route, upstream, &traces, seen);
        } else {
            return Err(Refusal::BadTarget);
        }
        Ok(())
    })
}

fn assert_unambiguous(head: &Parts) {
    let headers = &head.headers;
    let lines = |name| headers.get_all(name).iter().count();
    assert_eq!((lines(HOST), lines(FORWARDED)), (1, 1), "{headers:?}");
    assert!(request_head::is_host(headers[HOST].as_bytes()), "{headers:?}");
    assert!(lines(CONTENT_LENGTH) + lines(TRANSFER_ENCODING) <= 1, "{headers:?}");
    assert!(headers.get(TRANSFER_ENCODING).is_none_or(|coding| coding == "chunked"), "{headers:?}");
    assert!(headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit)));
    assert!(headers.get(CONNECTION).is_none_or(|names| names == "te" && headers[TE] == "trailers"), "{headers:?}");
    let target = head.uri.path_and_query().map_or("", |path| path.as_str());
    assert!(head.uri.authority().is_none() && target.is_ascii() && (target == "*" || target.starts_with('/')));
    assert!(!target.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f), "{target:?}");
    for name in ["x_forwarded_for", "content_length", "transfer_encoding", "x-real_ip"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
}

/// A client that has sent all of its bytes, and reads nothing
struct Client {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    raw: Rc<RawHead>,
}

impl AsyncRead for Client {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let length = self.piece.min(buffer.remaining()).min(self.bytes.len() - self.at);
        let read = &self.bytes[self.at..self.at + length];
        buffer.put_slice(read);
        self.raw.note(read);
        self.at += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_takes_what_it_is_for_and_what_it_is_not() {
        let good = "GET /c/d?e HTTP/1.1\r\nHost: a\r\nForwarded: for=192.0.2.7\r\n\r\n";
        for bytes in
            [good, "GET /c HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "\0", ""]
        {
            for piece in [0, 1, 200] {
                head(bytes.as_bytes(), piece, true);
                head(bytes.as_bytes(), piece, false);
            }
        }
        for bytes in
            [&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0; 60]].concat(), &b"\0".to_vec(), &Vec::new()]
        {
            frames(bytes, 7);
        }
        for bytes in [&b"\x81\x01a\x88\0"[..], b"\x81\x81\0\0\0\0a\x89\x80\0\0\0\0", b"data: a\r\n\r\n: b\n", b""] {
            (0..9).for_each(|piece| stream(bytes, piece));
        }
        configuration(CONFIG);
        configuration("listeners: [{address: ':1', direction: sideways, secret: hunter2}]");
        configuration("{");
    }
}
