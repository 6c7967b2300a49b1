//! Calls while the proxy stops: those that end are whole, and those that do not end get a status.

use std::time::{Duration, Instant};

use h2::Reason;

use crate::{
    grpc::{proxy, server::Server},
    support::Signal,
};

#[test]
fn a_call_that_is_open_ends_as_it_wants_to() {
    let server = Server::echoing();
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    let mut call = client.call("/a.B/C", &[]);
    call.head();
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    for number in 0..10 {
        call.send(&[number]);
        assert_eq!(call.message(), Some(vec![number]));
    }
    call.close();
    assert_eq!((call.message(), &call.trailers()["grpc-status"]), (None, &"0".parse().unwrap()));
    client.wait_for_end();
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn calls_without_an_end_are_told_of_the_stop() {
    let server = Server::start(|mut asked| async move {
        if asked.head.uri.path() == "/silent" {
            return asked.until_reset().await;
        }
        let mut answering = asked.begin();
        answering.send(b"one");
        answering.until_reset().await;
    });
    let proxy = proxy(&server, &["--shutdown-timeout", "2s", "--access-log", "json"]);
    let mut client = proxy.grpc();
    let mut stream = client.call("/a.B/C", &[]);
    stream.close();
    stream.head();
    assert_eq!(stream.message(), Some(b"one".to_vec()));
    let mut silent = client.call("/silent", &[]);
    silent.close();
    server.wait_for_calls(2);
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    let silent = silent.end();
    assert_eq!((silent.status(), silent.message()), ("14", "sidekit-proxy: stopping"));
    assert_eq!((silent.head.status.as_u16(), &silent.trailers["grpc-retry-pushback-ms"]), (200, &1000.into()));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!((stream.message(), &stream.trailers()["grpc-status"]), (None, &"14".parse().unwrap()));
    assert_eq!(server.wait_for_reset(), Reason::CANCEL);
    client.wait_for_end();
    let ended = proxy.program.end();
    assert_eq!((ended.code, ended.stdout.matches("\"error.type\":\"stopping\"").count()), (Some(0), 2));
}
