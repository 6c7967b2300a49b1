//! Bodies: of any size, in chunks, with trailers, piece by piece, and broken ones.
//! Long because each way in which a body goes or breaks is a test of its own.

use std::{io::Write, net::Shutdown, thread, time::Duration};

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

#[test]
fn chunks_and_trailers_go_both_ways() {
    let upstream = Upstream::start(|connection| {
        // The chunks of the request, and then those of the answer
        while connection.request().is_some() {
            connection.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
            );
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    let head = client.head().unwrap();
    assert_eq!((header(&head, "transfer-encoding"), header(&head, "trailer")), (Some("chunked"), Some("X-Sum")));
    assert_eq!((client.chunk().as_str(), client.chunk().as_str()), ("ok", ""));
    assert_eq!(client.trailer().as_deref(), Some("x-sum: 7"));
    let request = upstream.only();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert_eq!(body.replace("\r\n", " "), "5 hello 6  world 0  ");
}

#[test]
fn a_client_that_waits_for_a_100_is_asked_to_go_on() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().as_deref(), Some("HTTP/1.1 100 Continue\r\n"));
    client.send("hello");
    assert_eq!(client.answer().status, 200);
    assert!(!upstream.only().contains("expect"));
}

#[test]
fn a_client_that_waits_for_a_100_learns_of_a_refusal_first() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--max-body", "4B"]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 413);
}

#[test]
fn an_event_arrives_when_it_is_sent() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for event in ["one", "two"] {
            connection.write(format!("3\r\n{event}\r\n"));
            // The second one comes when the time for other requests is over.
            thread::sleep(Duration::from_millis(2500));
        }
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "2s"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().unwrap().split(' ').nth(1), Some("200"));
    assert_eq!((client.chunk().as_str(), client.chunk().as_str()), ("one", "two"));
}

#[test]
fn a_large_body_goes_through_while_little_of_it_is_held() {
    const SIZE: usize = 200 * 1024 * 1024;
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        let block = "x".repeat(1024 * 1024);
        for _ in 0..SIZE / block.len() {
            connection.write(&block);
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    // The client is slow at first, so that what is not read must wait at the upstream.
    client.bytes(1000);
    for _ in 0..SIZE / 1_048_576 - 1 {
        client.bytes(1_048_576);
    }
    client.bytes(1_048_576 - 1000);
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.program.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    let kilobytes: u64 = peak.trim().parse().unwrap();
    // A debug build has 20 MB of code in it.
    assert!(kilobytes < 60_000, "{kilobytes} kB");
}

#[test]
fn a_bad_chunk_of_the_client_is_the_clients_fault() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!((proxy.refusals("bad-body"), proxy.refusals("upstream-closed")), (1, 0));
}

#[test]
fn a_body_that_is_too_long_is_refused_before_and_while_it_comes() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--max-body", "10B"]);
    for bytes in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
    ] {
        let mut client = proxy.client();
        client.send(bytes);
        assert_eq!(client.answer().status, 413, "{bytes:?}");
    }
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello worl");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn an_answer_that_breaks_off_ends_the_clients_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n5\r\nx",
    ] {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write(answer);
        });
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.head().is_some());
        if answer.contains("chunked") {
            assert_eq!(client.chunk(), "half");
        } else {
            client.bytes(4);
        }
        // No end that looks like a good one
        let rest = client.rest();
        assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    }
}

#[test]
fn what_an_upstream_sends_behind_its_answer_is_no_answer_to_the_next_request() {
    let upstream = Upstream::start(|connection| {
        while connection.request().is_some() {
            connection.write(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            );
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").body, "ok");
    }
}

#[test]
fn answers_that_are_no_http_become_502() {
    for answer in [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        "",
    ] {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write(answer);
        });
        let proxy = Proxy::start(&upstream, &[]);
        let got = proxy.client().get("/");
        assert_eq!(got.status, 502, "{answer:?}: {got:?}");
        assert!(header(&got.head, "proxy-status").is_some(), "{got:?}");
    }
}

#[test]
fn an_answer_may_come_before_the_body_was_sent() {
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        let _ = connection.stream.shutdown(Shutdown::Write);
        // What follows is read, so that no reset takes the answer along.
        let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    upstream.wait_for_requests(1);
    client.try_send(vec![b'x'; 100_000]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (403, "no"));
}

#[test]
fn an_answer_survives_the_reset_of_an_upstream_that_closes_without_reading_the_body() {
    // What is unread when a socket closes makes the system send a reset behind the answer.
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    });
    let proxy = Proxy::start(&upstream, &[]);
    for _ in 0..20 {
        let mut client = proxy.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        let mut writer = client.writer();
        let rest = thread::spawn(move || {
            let _ = writer.write_all(&vec![b'x'; 8_000_000]);
        });
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (413, "big"));
        rest.join().unwrap();
    }
    proxy.stop();
}

#[test]
fn an_answer_without_a_length_is_not_whole_after_a_reset() {
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write("HTTP/1.1 200 OK\r\n\r\nhalf");
        thread::sleep(Duration::from_millis(100));
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    client.try_send(vec![b'x'; 8_000_000]);
    let rest = client.rest();
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
}

#[test]
fn a_body_in_chunks_is_sent_with_every_method() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    for method in ["GET", "DELETE", "POST", "REPORT"] {
        let mut client = proxy.client();
        client.send(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 200);
        let request = upstream.requests().pop().unwrap();
        assert!(request.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{method}: {request}");
    }
}

#[test]
fn an_upstream_of_http_1_0_gets_bodies_in_chunks_over_connections_of_their_own() {
    let upstream = Upstream::answering("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        let request = upstream.requests().pop().unwrap();
        assert!(request.starts_with("POST / HTTP/1.1\r\n") && request.contains("hello"), "{request}");
    }
}

#[test]
fn trailers_cannot_say_what_only_the_head_may_say() {
    let upstream = Upstream::start(|connection| {
        while connection.request().is_some() {
            connection.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Location, Via\r\n\r\n2\r\nok\r\n0\r\nLocation: /evil\r\nVia: 1\r\nX-Sum: 7\r\n\r\n",
            );
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Forwarded-For, X_Forwarded_For, Cookie, Connection\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 7\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nCookie: a\r\nConnection: close\r\n\r\n",
    );
    client.head().unwrap();
    assert_eq!((client.chunk().as_str(), client.chunk().as_str()), ("ok", ""));
    assert_eq!((client.trailer().as_deref(), client.trailer()), (Some("x-sum: 7"), None));
    let request = upstream.only();
    assert!(request.ends_with("5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n"), "{request}");
}

#[test]
fn an_upstream_may_pause_in_the_middle_of_a_body() {
    const SIZE: usize = 20_000_000;
    let upstream = Upstream::start(|connection| {
        connection.head();
        // The time is what is tested: longer than a silent network is waited for.
        thread::sleep(Duration::from_secs(18));
        let mut body = vec![0; SIZE - connection.unread()];
        std::io::Read::read_exact(&mut connection.stream, &mut body).unwrap();
        connection.write(OK);
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    client.send(vec![b'x'; SIZE]);
    assert_eq!(client.answer().status, 200);
}
