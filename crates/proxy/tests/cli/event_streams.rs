//! Event streams in a drain: each ends between two events, at a time of its own.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    certificates::Secret,
    http2_client::{Http2, get},
    support::{Proxy, Signal, leave_over_3_s},
    upstream::{Connection, Upstream},
};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const GET: &str = "GET /events HTTP/1.1\r\nHost: app\r\n\r\n";

fn send(connection: &mut Connection, text: &str) -> bool {
    connection.try_write(format!("{:x}\r\n{text}\r\n", text.len()))
}

/// Sends the first text, and the others when the proxy has been unready for a while; then waits for the end of the connection.
fn streaming(first: &'static str, others: &'static [&'static str]) -> Upstream {
    Upstream::start(move |connection| {
        connection.request();
        connection.write(HEAD);
        send(connection, first);
        for text in others {
            thread::sleep(Duration::from_millis(700));
            send(connection, text);
        }
        assert_eq!(connection.request(), None, "the proxy ends the connection");
    })
}

#[test]
fn a_stream_ends_behind_the_event_under_way() {
    let upstream = streaming("data: 1\n\ndata: 2\r\n", &["da", "ta: 3\r\n\r\ndata: 4\n\n", "data: 5\n\n"]);
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    let mut client = proxy.client();
    client.send(GET);
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200 "));
    assert_eq!(client.chunk(), "data: 1\n\ndata: 2\r\n");
    proxy.program.signal(Signal::TERM);
    let rest = [client.chunk(), client.chunk(), client.chunk()];
    // The last chunk is that of an end as it should be.
    assert_eq!(rest, ["da", "ta: 3\r\n\r\n", ""]);
    assert!(client.trailer().is_none() && client.is_closed());
    upstream.wait_for_closed(1);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line: Value = serde_json::from_str(ended.stdout.trim()).unwrap();
    assert_eq!((&line["http.response.status_code"], &line["error.type"]), (&200.into(), &Value::Null), "{line}");
}

#[test]
fn streams_that_wait_end_at_times_of_their_own() {
    const COUNT: usize = 12;
    let upstream = streaming("data: 1\n\n: wait\n", &[]);
    let proxy = Proxy::start(&upstream, &["--drain-delay", "3s"]);
    let clients: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut client = proxy.client();
            client.send(GET);
            client.head();
            assert_eq!(client.chunk(), "data: 1\n\n: wait\n");
            client
        })
        .collect();
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    leave_over_3_s(start, clients, |client| assert_eq!(client.chunk(), ""));
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_stream_over_http_2_ends_in_the_same_way() {
    let upstream = streaming("data: 1\n\ndata: 2\n", &["\ndata: 3\n\n"]);
    let secret = Secret::with(&["app"]);
    let arguments = secret.arguments();
    let proxy = Proxy::start(&upstream, &arguments.each_ref().map(String::as_str));
    let mut client = Http2::with_tls(proxy.address, "app", &secret.root);
    let stream = client.begin(get("/events"), true).unwrap();
    upstream.wait_for_requests(1);
    proxy.program.signal(Signal::TERM);
    let answered = client.answer(stream).unwrap();
    assert_eq!((answered.status, answered.body.as_str()), (200, "data: 1\n\ndata: 2\n\n"));
    upstream.wait_for_closed(1);
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_stream_that_is_coded_is_not_cut() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"));
        while send(connection, "\n\n") {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let proxy = Proxy::start(&upstream, &["--shutdown-timeout", "1s"]);
    let mut client = proxy.client();
    client.send(GET);
    client.head();
    proxy.program.signal(Signal::TERM);
    assert_eq!(proxy.program.end().code, Some(75));
    assert!(!client.rest().contains("\r\n0\r\n"));
}
