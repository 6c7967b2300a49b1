//! Calls that are made a second time: only where one side has said that they may be, and the
//! upstream has said nothing but UNAVAILABLE.

use std::{
    io::Write,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use serde_json::{Value, json};

use crate::{
    grpc::{client::End, proxy, proxy_to, run, server::Server},
    http2_upstream::Frames,
    raw_http2,
    upstream::Upstream,
};

/// Ends the first call with these trailers alone, and echoes the message of each later one.
fn server(trailers: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |mut asked| async move {
        let message = asked.incoming.message().await.unwrap().unwrap_or_default();
        while asked.incoming.message().await.unwrap().is_some() {}
        if asked.number == 0 {
            return asked.refuse(trailers);
        }
        let mut answering = asked.begin();
        answering.send(&message);
        answering.end(&[("grpc-status", "0")]);
    })
}

/// The end of a call of one message, and how often the server got it
fn call(
    trailers: &'static [(&'static str, &'static str)],
    headers: &[(&'static str, &str)],
    message: &[u8],
) -> (End, usize) {
    let server = server(trailers);
    let proxy = proxy(&server, &[]);
    let end = proxy.grpc().unary("/a.B/C", headers, message);
    let heads = server.heads();
    assert_eq!(proxy.counted("sidekit_proxy_retries_total"), heads.len() as u64 - 1);
    (end, heads.len())
}

const ASKED: &[(&str, &str)] = &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "20")];
const UNAVAILABLE: &[(&str, &str)] = &[("grpc-status", "14"), ("grpc-message", "later")];

#[test]
fn a_call_is_made_again_where_the_server_asks_for_it() {
    let server = server(ASKED);
    let proxy = proxy(&server, &["--access-log", "json"]);
    let mut client = proxy.grpc();
    let end = client.unary("/a.B/C", &[("grpc-timeout", "30S"), ("x-a", "1")], &vec![7; 16_000]);
    assert_eq!((end.status(), &end.messages[..]), ("0", &[vec![7; 16_000]][..]));
    let heads = server.heads();
    assert_eq!((heads.len(), &heads[1].headers["x-a"]), (2, &"1".parse().unwrap()));
    assert!(!heads[0].headers.contains_key("grpc-previous-rpc-attempts"));
    assert_eq!(heads[1].headers["grpc-previous-rpc-attempts"], "1");
    let left =
        |at: usize| heads[at].headers["grpc-timeout"].to_str().unwrap().trim_end_matches('u').parse::<u64>().unwrap();
    assert!(left(0) <= 30_000_000 && left(1) <= left(0) - 20_000, "{} then {}", left(0), left(1));
    let line: Value = serde_json::from_str(&proxy.stop().stdout).unwrap();
    assert_eq!((&line["retries"], &line["rpc.response.status_code"]), (&json!(1), &json!("OK")));
}

#[test]
fn without_a_word_for_it_a_call_is_made_once() {
    let (end, calls) = call(UNAVAILABLE, &[], b"hello");
    assert_eq!((end.status(), end.message(), calls), ("14", "later", 1));
    let (end, calls) = call(UNAVAILABLE, &[("idempotency-key", "1")], b"hello");
    assert_eq!((end.status(), calls), ("0", 2));
    let server = server(UNAVAILABLE);
    let proxy = run(&format!("http://{}#http=2&grpc-retry=unavailable", server.address), &[]);
    assert_eq!((proxy.grpc().unary("/a.B/C", &[], b"hello").status(), server.heads().len()), ("0", 2));
}

/// Answers the calls by this script, in the order in which they come: nothing is a GOAWAY that says
/// that the call was not processed, and the end of the connection.
fn scripted(script: &'static [Option<&'static [(&'static str, &'static str)]>]) -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::start(move |connection| {
        let Some(mut frames) = Frames::begin(connection, &[]) else { return };
        let mut last = 0;
        while let Some(stream) = frames.request() {
            assert_eq!(frames.body(stream), 10);
            let Some(trailers) = script[calls.fetch_add(1, SeqCst)] else { return frames.go_away(last, 0) };
            let answer = [&[(":status", "200"), ("content-type", "application/grpc")], trailers].concat();
            let _ = frames.0.stream.write_all(&raw_http2::head(stream, &answer, raw_http2::END_STREAM));
            last = stream;
        }
    })
}

/// A server that shuts down says UNAVAILABLE, then GOAWAY; or one goes away, and another one says
/// UNAVAILABLE.
#[test]
fn a_call_goes_again_for_both_reasons_in_any_order() {
    const OK: &[(&str, &str)] = &[("grpc-status", "0")];
    for script in [
        &[Some(ASKED), None, Some(OK)][..],
        &[Some(ASKED), None, None, Some(OK)],
        &[None, Some(ASKED), Some(OK)],
        &[None, None, Some(ASKED), None, Some(OK)],
    ] {
        let upstream = scripted(script);
        let proxy = proxy_to(upstream.address, &["--direction", "inbound"]);
        assert_eq!(proxy.grpc().unary("/a.B/C", &[], b"hello").status(), "0", "{script:?}");
        assert_eq!(proxy.counted("sidekit_proxy_retries_total"), script.len() as u64 - 1);
    }
    // A status asks for one more attempt, and not for another one.
    let upstream = scripted(&[Some(ASKED), Some(ASKED)]);
    let proxy = proxy_to(upstream.address, &["--direction", "inbound"]);
    assert_eq!(proxy.grpc().unary("/a.B/C", &[], b"hello").status(), "14");
}

#[test]
fn what_stands_against_a_second_attempt() {
    const OTHER: &[(&str, &str)] = &[("grpc-status", "13"), ("grpc-retry-pushback-ms", "0")];
    const NEVER: &[(&str, &str)] = &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "-1")];
    const LATER: &[(&str, &str)] = &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "60000")];
    const SOON: &[(&str, &str)] = &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "900")];
    for trailers in [OTHER, NEVER, LATER] {
        let (end, calls) = call(trailers, &[("idempotency-key", "1")], b"hello");
        assert_eq!((end.status(), calls), (trailers[0].1, 1));
    }
    assert_eq!(call(ASKED, &[("grpc-previous-rpc-attempts", "4")], b"hello").1, 1);
    assert_eq!(call(ASKED, &[("grpc-previous-rpc-attempts", "2")], b"hello").1, 2);
    // More than is kept
    assert_eq!(call(ASKED, &[], &vec![7; 17_000]).1, 1);
    // The time would be over before the second attempt.
    assert_eq!(call(SOON, &[("grpc-timeout", "800m")], b"hello").1, 1);
}

#[test]
fn an_answer_that_has_begun_or_a_request_that_has_not_ended_is_final() {
    let server = Server::start(|mut asked| async move {
        let answering = asked.begin();
        answering.end(ASKED);
    });
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    assert_eq!((client.unary("/a.B/C", &[], b"hello").status(), server.heads().len()), ("14", 1));
    let server = Server::start(|mut asked| async move { asked.refuse(ASKED) });
    let proxy = self::proxy(&server, &[]);
    let mut open = proxy.grpc().call("/a.B/C", &[]);
    open.send(b"hello");
    assert_eq!((open.end().status(), server.heads().len()), ("14", 1));
}

#[test]
fn second_attempts_are_bounded() {
    let server = Server::start(|mut asked| async move {
        while asked.incoming.message().await.unwrap().is_some() {}
        asked.refuse(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "0")]);
    });
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    for _ in 0..30 {
        assert_eq!(client.unary("/a.B/C", &[], b"hello").status(), "14");
    }
    assert_eq!((server.heads().len(), proxy.counted("sidekit_proxy_retries_total")), (40, 10));
    assert_eq!(proxy.counted("sidekit_proxy_denied_retries_total"), 20);
}
