//! Calls pass: of one message and of many, in both directions at once, with their metadata and their ends.

use std::time::{Duration, Instant};

use h2::Reason;
use tokio::sync::mpsc;

use crate::grpc::{
    AUTHORITY,
    client::Client,
    peers::wait,
    proxy, proxy_to, run,
    server::{Server, echo},
};

#[test]
fn a_call_of_one_message_keeps_its_metadata_and_its_trailers() {
    let server = Server::start(|mut asked| async move {
        let message = asked.incoming.message().await.unwrap().unwrap();
        assert_eq!(asked.incoming.message().await.unwrap(), None);
        let mut answering = asked.begin();
        answering.send(&message);
        answering.end(&[("grpc-status", "0"), ("x-sum-bin", "AAEC"), ("grpc-message", "50%25 %C3%A4")]);
    });
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    for (path, message) in [("/grpc.health.v1.Health/Check", &b"hello"[..]), ("/a.B/C", b"")] {
        let end = client.unary(path, &[("x-user", "me"), ("x-key-bin", "AAE=")], message);
        assert_eq!((end.status(), end.message(), &end.messages[..]), ("0", "50%25 %C3%A4", &[message.to_vec()][..]));
        assert_eq!((&end.trailers["x-sum-bin"], end.head.status.as_u16()), (&"AAEC".parse().unwrap(), 200));
        assert_eq!(end.head.headers["content-type"], "application/grpc");
    }
    let [health, call] = server.heads().try_into().unwrap();
    assert_eq!((health.uri.path(), call.uri.path()), ("/grpc.health.v1.Health/Check", "/a.B/C"));
    for (name, value) in
        [("te", "trailers"), ("content-type", "application/grpc"), ("x-user", "me"), ("x-key-bin", "AAE=")]
    {
        assert_eq!(call.headers[name], value);
    }
    assert!(!call.headers.contains_key("connection") && !call.headers.contains_key("grpc-timeout"));
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_of_trailers_alone_stays_one() {
    let server = Server::start(|mut asked| async move {
        asked.refuse(&[("grpc-status", "5"), ("grpc-message", "no %22such%22 thing"), ("x-a", "1")]);
    });
    let end = proxy(&server, &[]).grpc().unary("/a.B/C", &[], b"hello");
    assert_eq!((end.status(), end.message(), end.messages.len()), ("5", "no %22such%22 thing", 0));
    assert_eq!((&end.head.headers["grpc-status"], &end.head.headers["x-a"]), (&"5".parse().unwrap(), &1.into()));
}

#[test]
fn a_client_sends_many_messages_for_one() {
    let server = Server::start(|mut asked| async move {
        let mut length = 0;
        while let Some(message) = asked.incoming.message().await.unwrap() {
            length += message.len();
        }
        let mut answering = asked.begin();
        answering.send(length.to_string().as_bytes());
        answering.end(&[("grpc-status", "0")]);
    });
    let proxy = proxy(&server, &[]);
    let mut call = proxy.grpc().call("/a.B/C", &[]);
    (0..100).for_each(|length| call.send(&vec![7; length]));
    call.close();
    assert_eq!(call.end().messages, [b"4950"]);
}

#[test]
fn each_message_of_a_server_goes_on_at_once() {
    let (next, asked_for) = mpsc::channel::<()>(1);
    let asked_for = std::sync::Arc::new(tokio::sync::Mutex::new(asked_for));
    let server = Server::start(move |mut asked| {
        let asked_for = asked_for.clone();
        async move {
            let mut answering = asked.begin();
            let mut number = 0_u8;
            while asked_for.lock().await.recv().await.is_some() {
                answering.send(&[number]);
                number += 1;
            }
            answering.end(&[("grpc-status", "0")]);
        }
    });
    let proxy = proxy(&server, &[]);
    let mut call = proxy.grpc().call("/a.B/C", &[]);
    call.close();
    assert_eq!(call.head().status, 200);
    for number in 0..50 {
        wait(next.send(())).unwrap();
        assert_eq!(call.message(), Some(vec![number]));
    }
    drop(next);
    assert_eq!((call.message(), &call.trailers()["grpc-status"]), (None, &"0".parse().unwrap()));
}

#[test]
fn both_sides_talk_at_once() {
    let server = Server::echoing();
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    let mut calls: Vec<_> = (0..20).map(|_| client.call("/a.B/C", &[])).collect();
    // The answer begins before the first message of the client.
    for call in &mut calls {
        assert_eq!(call.head().status, 200);
    }
    for number in 0..20 {
        for call in &mut calls {
            call.send(&[number; 300]);
            assert_eq!(call.message(), Some(vec![number; 300]));
        }
    }
    for mut call in calls {
        call.close();
        assert_eq!((call.message(), &call.trailers()["grpc-status"]), (None, &"0".parse().unwrap()));
    }
}

#[test]
fn tls_on_both_sides_passes_the_same() {
    let server = Server::with_tls(Some(AUTHORITY.server(&["localhost"])), echo);
    let upstream = format!("https://localhost:{}#ca={}", server.address.port(), AUTHORITY.ca());
    let (cert, key) = AUTHORITY.identity_files(&["localhost"]);
    let proxy = run(&upstream, &["--tls-cert", &cert, "--tls-key", &key]);
    let mut client = Client::with_tls(proxy.address, &AUTHORITY);
    let message = vec![7; 1 << 20];
    assert!(client.unary("/a.B/C", &[], &message).messages == [&message[..]]);
    let mut call = client.call("/a.B/C", &[("grpc-timeout", "1M")]);
    assert_eq!(call.head().status, 200);
    for number in 0..20 {
        call.send(&[number]);
        assert_eq!(call.message(), Some(vec![number]));
    }
    call.close();
    assert_eq!((call.message(), &call.trailers()["grpc-status"]), (None, &"0".parse().unwrap()));
    assert_eq!(server.heads()[1].uri.scheme_str(), Some("https"));
}

#[test]
fn a_quiet_stream_goes_on() {
    let server = Server::echoing();
    let proxy = proxy(&server, &["--min-body-rate", "1KiB", "--request-timeout", "1s", "--idle-timeout", "1s"]);
    let mut call = proxy.grpc().call("/a.B/C", &[]);
    call.head();
    // A body that is no call may be silent for 10 s.
    let start = Instant::now();
    for pause in [Duration::from_secs(11), Duration::ZERO] {
        std::thread::sleep(pause);
        call.send(b"still here");
        assert_eq!(call.message(), Some(b"still here".to_vec()));
    }
    assert!(start.elapsed() > Duration::from_secs(10));
    call.close();
    assert_eq!(call.message(), None);
}

#[test]
fn long_messages_pass_both_ways() {
    let server = Server::echoing();
    let proxy = proxy(&server, &[]);
    let mut client = proxy.grpc();
    let message: Vec<u8> = (0..3 << 20).map(|at: u32| at.to_be_bytes()[3] ^ at.to_be_bytes()[1]).collect();
    for _ in 0..3 {
        let mut call = client.call("/a.B/C", &[]);
        call.send(&message);
        call.close();
        assert!(call.end().messages == [&message[..]]);
    }
}

#[test]
fn an_answer_may_end_before_the_request() {
    let server = Server::start(|mut asked| async move {
        asked.incoming.message().await.unwrap();
        let answering = asked.begin();
        answering.end(&[("grpc-status", "9")]);
        // Nothing asks for the rest of the client's messages; the other side gives them up.
    });
    let proxy = proxy(&server, &[]);
    let mut call = proxy.grpc().call("/a.B/C", &[]);
    call.send(b"first");
    assert_eq!(call.head().status, 200);
    assert_eq!((call.message(), &call.trailers()["grpc-status"]), (None, &"9".parse().unwrap()));
    harness::until("no request is in flight", || (proxy.active() == 0).then_some(()));
}

#[test]
fn a_client_that_cancels_resets_the_call_upstream() {
    for has_head in [false, true] {
        let server = Server::start(move |mut asked| async move {
            if has_head {
                let mut answering = asked.begin();
                answering.send(b"one");
                answering.until_reset().await;
            } else {
                asked.until_reset().await;
            }
        });
        for closes in [false, true] {
            let proxy = proxy(&server, &["--access-log", "json"]);
            let mut call = proxy.grpc().call("/a.B/C", &[]);
            if closes {
                call.close();
            }
            server.wait_for_calls(1);
            if has_head {
                call.head();
                assert_eq!(call.message(), Some(b"one".to_vec()));
            }
            call.cancel();
            assert_eq!(server.wait_for_reset(), Reason::CANCEL);
            harness::until("no request is in flight", || (proxy.active() == 0).then_some(()));
        }
    }
}

#[test]
fn a_call_that_breaks_off_upstream_ends_with_a_status() {
    for (reason, status) in [
        (Reason::NO_ERROR, "13"),
        (Reason::INTERNAL_ERROR, "13"),
        (Reason::CANCEL, "1"),
        (Reason::ENHANCE_YOUR_CALM, "8"),
    ] {
        let server = Server::start(move |mut asked| async move {
            let mut answering = asked.begin();
            answering.send(b"one");
            asked.incoming.message().await.unwrap();
            answering.reset(reason);
        });
        let proxy = proxy(&server, &[]);
        let mut call = proxy.grpc().call("/a.B/C", &[]);
        call.head();
        assert_eq!(call.message(), Some(b"one".to_vec()));
        call.send(b"now");
        let end = (call.message(), call.trailers());
        assert_eq!((end.0, &end.1["grpc-status"]), (None, &status.parse().unwrap()));
        assert_eq!(end.1["grpc-message"], "sidekit-proxy: answer-cut");
    }
}

#[test]
fn trailers_that_are_too_long_are_no_good_end() {
    // h2 drops fields that it has no room for, and says nothing.
    let long = |length: usize| "d".repeat(length);
    for (lines, status) in [
        (vec![("grpc-status", "0".to_owned()), ("a-details", long(60_000))], "0"),
        (vec![("a-details", long(66_000)), ("grpc-status", "0".to_owned())], "13"),
        (vec![("grpc-status", "0".to_owned()), ("a-details", long(100_000))], "13"),
        (vec![("grpc-status", "0".to_owned()), ("a-details", long(300_000))], "14"),
    ] {
        let server = Server::start(move |mut asked| {
            let lines = lines.clone();
            async move {
                let mut answering = asked.begin();
                answering.send(b"one");
                asked.incoming.message().await.unwrap();
                let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
                answering.end(&lines);
            }
        });
        let proxy = proxy(&server, &[]);
        let mut call = proxy.grpc().call("/a.B/C", &[]);
        call.send(b"now");
        call.head();
        assert_eq!(call.message(), Some(b"one".to_vec()));
        let (message, trailers) = (call.message(), call.trailers());
        assert_eq!((message, &trailers["grpc-status"]), (None, &status.parse().unwrap()));
        assert_eq!(trailers.contains_key("grpc-message"), status != "0");
    }
}

#[test]
fn a_call_ends_as_unavailable_when_its_connection_breaks() {
    let server = Server::echoing();
    let behind = proxy(&server, &[]);
    let front = proxy_to(behind.address, &["--direction", "outbound"]);
    let mut call = front.grpc().call("/a.B/C", &[("grpc-timeout", "1M")]);
    call.send(b"one");
    call.head();
    assert_eq!(call.message(), Some(b"one".to_vec()));
    // Killed, it closes its connections.
    drop(behind);
    let end = (call.message(), call.trailers());
    assert_eq!((end.0, &end.1["grpc-status"]), (None, &"14".parse().unwrap()));
    assert_eq!(end.1["grpc-message"], "sidekit-proxy: answer-cut");
    server.wait_for_calls(1);
}

#[test]
fn the_peers_of_these_tests_understand_each_other() {
    let server = Server::echoing();
    let end = Client::new(server.address).unary("/a.B/C", &[], b"hello");
    assert_eq!((end.status(), &end.messages[..]), ("0", &[b"hello".to_vec()][..]));
}
