//! Connections to upstreams keep the same rules behind TLS as without it.

use std::{
    io::{Read, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use harness::{Authority, until};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::{HTTP1, before, localhost};
use crate::{
    http2_upstream::STATUS_200,
    raw_http2::{END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame},
    support::{OK, Proxy},
    tls_front::TlsFront,
    upstream::Upstream,
};

#[test]
fn a_connection_that_was_closed_while_idle_is_noticed() {
    let authority = Authority::new();
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
    });
    let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
    let proxy = before(&front, &authority, "", &[]);
    let mut client = proxy.client();
    for number in 1..=10 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().status, 200);
        upstream.wait_for_closed(number);
        until("the proxy has seen it", || (proxy.counted("http_client_open_connections") == 0).then_some(()));
    }
}

#[test]
fn no_request_fails_while_connections_are_closed_at_any_moment() {
    let authority = Authority::new();
    let upstream = Upstream::closing_at_any_moment(OK);
    let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
    let proxy = before(&front, &authority, "", &[]);
    let mut client = proxy.client();
    let requests = client.get_for(Duration::from_secs(3));
    assert!(requests > 50 && upstream.connections() > 5, "{requests} over {}", upstream.connections());
}

#[test]
fn a_post_that_the_upstream_closes_on_is_sent_once() {
    let authority = Authority::new();
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
        connection.request();
    });
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, status, requests) in [(post, 502, 2), (get, 200, 3)] {
        let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
        let proxy = before(&front, &authority, "", &[]);
        let before = upstream.requests().len();
        let mut client = proxy.client();
        assert_eq!(client.get("/").status, 200);
        client.send(request);
        assert_eq!((client.answer().status, upstream.requests().len() - before), (status, requests), "{request}");
    }
}

#[test]
fn an_early_answer_passes_while_the_body_is_sent() {
    let authority = Authority::new();
    let upstream = Upstream::start(|connection| {
        connection.head();
        connection.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        // The front closes TLS once the answer has gone, and the rest of the body meets a closed socket.
        thread::sleep(Duration::from_millis(300));
    });
    let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
    let proxy = before(&front, &authority, "", &[]);
    let mut client = proxy.client();
    client.post_much();
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (413, "big"));
}

#[test]
fn an_answer_that_ends_without_a_farewell_is_cut() {
    // Without a length, the end of the connection is the end of the body, and only `close_notify` tells it from a cut.
    let authority = Authority::new();
    for is_cut in [true, false] {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write("HTTP/1.1 200 OK\r\n\r\nhalf");
            thread::sleep(Duration::from_millis(300));
            if is_cut {
                // A reset, which the front does not pass on as an end
                socket2::SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
        let proxy = before(&front, &authority, "", &[]);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.head().unwrap();
        assert_eq!(client.chunk(), "half");
        if is_cut {
            assert_eq!(client.rest(), "");
        } else {
            assert_eq!(client.chunk(), "");
        }
    }
}

#[test]
fn a_request_that_meets_an_alert_over_http2_goes_again() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&localhost(&authority));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let upstream = Upstream::start(move |connection| {
        let mut tls = ServerConnection::new(config.clone()).unwrap();
        let mut stream = Stream::new(&mut tls, &mut connection.stream);
        let mut preface = [0; 24];
        let begun = stream.read_exact(&mut preface).and_then(|()| stream.write_all(&frame(SETTINGS, 0, 0, &[])));
        let mut answers = 0;
        while let (Ok(()), Some((kind, id))) = (&begun, next_frame(&mut stream)) {
            if kind != HEADERS {
                continue;
            }
            if connection.number == 0 && answers == 1 {
                break;
            }
            answers += 1;
            stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, id, STATUS_200)).unwrap();
        }
        // A record that cannot be decrypted makes rustls send an alert.
        let _ = tls.read_tls(&mut &[&[0x17, 3, 3, 0, 32][..], &[7; 32]].concat()[..]);
        assert!(tls.process_new_packets().is_err());
        let _ = tls.write_tls(&mut connection.stream);
        // Bytes that are unread at the end would be a reset, which overtakes the alert.
        let _ = connection.stream.read_to_end(&mut Vec::new());
    });
    let url = format!("https://localhost:{}#ca={}", upstream.address.port(), authority.ca());
    let proxy =
        Proxy::run(&["--listen", "127.0.0.1:0", "--direction", "outbound", "--workers", "1", "--upstream", &url]);
    let mut client = proxy.client();
    assert_eq!((client.get("/").status, client.get("/").status, upstream.connections()), (200, 200, 2));
}

/// The kind and the stream of the next frame
fn next_frame(stream: &mut impl Read) -> Option<(u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let [high, middle, low, kind, _, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((kind, u32::from_be_bytes(id)))
}
