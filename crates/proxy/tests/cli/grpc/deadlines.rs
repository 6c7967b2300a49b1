//! The time of a call: `grpc-timeout` goes on with what is left of it, and ends a call that takes longer.

use std::time::{Duration, Instant};

use h2::Reason;

use crate::grpc::{
    proxy,
    server::{Asked, Server},
};

/// Says nothing.
fn silent_server() -> Server {
    Server::start(Asked::until_reset)
}

/// Seconds of a value in one of the finer units
fn seconds(value: &str) -> f64 {
    let (number, unit) = value.split_at(value.len() - 1);
    let length = match unit {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "S" => 1.0,
        _ => panic!("{value}"),
    };
    number.parse::<f64>().unwrap() * length
}

#[test]
fn the_upstream_gets_the_time_that_is_left() {
    let server = Server::echo();
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    for (number, value) in ["50S", "1M", "99999m", "99999999H"].into_iter().enumerate() {
        assert_eq!(client.unary("/a.B/C", &[("grpc-timeout", value)], b"").status(), "0");
        let heads = server.heads();
        let got = heads[number].headers["grpc-timeout"].to_str().unwrap();
        match value {
            "99999999H" => assert_eq!(got, "99999998H"),
            "1M" => assert!((50.0..60.0).contains(&seconds(got)), "{got}"),
            _ => assert!((seconds(value) - 10.0..seconds(value)).contains(&seconds(got)), "{value}: {got}"),
        }
    }
    assert_eq!(client.unary("/a.B/C", &[], b"").status(), "0");
    assert!(!server.heads()[4].headers.contains_key("grpc-timeout"));
}

#[test]
fn a_call_without_an_answer_ends_at_its_time() {
    let server = silent_server();
    let proxy = proxy(&server, &[]);
    let start = Instant::now();
    let end = proxy.grpc().unary("/a.B/C", &[("grpc-timeout", "300m")], b"hello");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!((end.status(), end.message()), ("4", "sidekit-proxy: grpc-deadline"));
    assert_eq!(end.head.headers["grpc-status"], "4");
    assert_eq!(server.wait_for_reset(), Reason::CANCEL);
    assert_eq!(proxy.refusals("grpc-deadline"), 1);
}

#[test]
fn a_stream_ends_at_its_time_behind_what_it_has_said() {
    // Where the client still sends, too
    for closes in [false, true] {
        let server = Server::start(|mut asked| async move {
            let mut answering = asked.begin();
            answering.send(b"one");
            answering.until_reset().await;
        });
        let proxy = proxy(&server, &["--access-log", "json"]);
        let start = Instant::now();
        let mut call = proxy.grpc().call("/a.B/C", &[("grpc-timeout", "500m")]);
        if closes {
            call.close();
        }
        call.head();
        assert_eq!(call.message(), Some(b"one".to_vec()));
        let end = (call.message(), call.trailers());
        assert!(start.elapsed() >= Duration::from_millis(500));
        assert_eq!((end.0, &end.1["grpc-status"]), (None, &"4".parse().unwrap()));
        assert_eq!(end.1["grpc-message"], "sidekit-proxy: grpc-deadline");
        assert_eq!(server.wait_for_reset(), Reason::CANCEL);
        harness::until("no request is in flight", || (proxy.active() == 0).then_some(()));
    }
}

#[test]
fn a_time_that_is_over_or_malformed_goes_nowhere() {
    let server = Server::echo();
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    let end = client.unary("/a.B/C", &[("grpc-timeout", "0n")], b"");
    assert_eq!((end.status(), end.message()), ("4", "sidekit-proxy: grpc-deadline"));
    for value in ["1s", "", "123456789S", "soon"] {
        let end = client.unary("/a.B/C", &[("grpc-timeout", value)], b"");
        assert_eq!((end.status(), end.message()), ("13", "sidekit-proxy: bad-grpc-timeout"), "{value}");
    }
    assert_eq!((server.heads().len(), proxy.refusals("bad-grpc-timeout")), (0, 4));
}

#[test]
fn request_timeout_is_for_the_head_of_the_answer() {
    let flags = ["--request-timeout", "400ms"];
    let server = silent_server();
    let first = proxy(&server, &flags);
    let end = first.grpc().unary("/a.B/C", &[], b"hello");
    assert_eq!((end.status(), end.message()), ("4", "sidekit-proxy: upstream-silent"));
    assert_eq!(server.wait_for_reset(), Reason::CANCEL);
    // A client that still sends may take its time, and so may an answer that has begun.
    let server = Server::start(|mut asked| async move {
        while asked.incoming.message().await.unwrap().is_some() {}
        let mut answering = asked.begin();
        answering.send(b"one");
        tokio::time::sleep(Duration::from_millis(900)).await;
        answering.send(b"two");
        answering.end(&[("grpc-status", "0")]);
    });
    let second = proxy(&server, &flags);
    let mut call = second.grpc().call("/a.B/C", &[]);
    for _ in 0..3 {
        call.send(b"part");
        std::thread::sleep(Duration::from_millis(400));
    }
    call.close();
    let end = call.end();
    assert_eq!((end.status(), end.messages.len()), ("0", 2));
}
