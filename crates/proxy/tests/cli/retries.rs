//! Connections that an upstream closes while they are idle, or at any moment: no request that may be repeated fails.

use std::{sync::Barrier, thread, time::Duration};

use crate::{
    support::{OK, Proxy},
    upstream::{Upstream, closed_port},
};

#[test]
fn a_connection_that_was_closed_while_idle_is_noticed() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for number in 1..=20 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().status, 200);
        upstream.wait_for_closed(number);
    }
}

#[test]
fn no_request_fails_while_connections_are_closed_at_any_moment() {
    let upstream = Upstream::closing_at_any_moment(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    let requests = client.get_for(Duration::from_secs(3));
    assert!(requests > 100 && upstream.connections() > 10, "{requests} over {}", upstream.connections());
}

#[test]
fn an_upstream_that_closes_after_each_answer_costs_one_request_at_most() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
        // Long enough for the next request to arrive over a connection that is about to close
        thread::sleep(Duration::from_millis(5));
    });
    for (method, most) in [("GET", 0), ("POST", 1)] {
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        let mut status = || {
            client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
            client.answer().status
        };
        let failed = (0..200).filter(|_| status() != 200).count();
        assert!(failed <= most, "{method}: {failed}");
    }
}

/// Answers the first request of a connection, and closes at the second one once it was read.
fn closing_at_the_second() -> Upstream {
    Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
        connection.request();
    })
}

#[test]
fn only_what_may_be_repeated_is_repeated() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let with_key = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nIdempotency-Key: 1\r\n\r\n";
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, status, requests) in [(post, 502, 2), (with_key, 200, 3), (get, 200, 3)] {
        let upstream = closing_at_the_second();
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        assert_eq!(client.get("/").status, 200);
        client.send(request);
        assert_eq!(client.answer().status, status, "{request}");
        assert_eq!(upstream.requests().len(), requests, "{request}");
        let retries = format!("sidekit_proxy_retries_total{{upstream=\"{}\"}}", upstream.address);
        assert_eq!(proxy.metric(&retries), requests as u64 - 2, "{request}");
    }
}

#[test]
fn a_request_over_a_fresh_connection_is_sent_once() {
    let upstream = Upstream::start(|connection| {
        connection.request();
    });
    let proxy = Proxy::start(&upstream, &[]);
    assert_eq!(proxy.client().get("/").status, 502);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn an_upstream_that_announces_its_timeout_is_not_asked_after_it() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=4\r\n\r\nok");
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.get("/");
    client.get("/");
    assert_eq!(upstream.connections(), 1);
    // The time is what is tested: the upstream says four seconds, and the proxy stays a second below.
    thread::sleep(Duration::from_millis(3200));
    client.get("/");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_upstream_that_is_not_there_is_named() {
    let (gone, _socket) = closed_port();
    let proxy =
        Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &format!("http://{gone}"), "--direction", "outbound"]);
    let mut client = proxy.client();
    let answer = client.get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-refuses")), (502, 1), "{answer:?}");
    assert!(answer.head.contains("proxy-status: sidekit-proxy; error=connection_refused"), "{answer:?}");
    // The client did nothing wrong, and its connection stays.
    assert_eq!(client.get("/").status, 502);
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", "http://no-such-name.invalid"]);
    assert_eq!((proxy.client().get("/").status, proxy.refusals("upstream-unknown")), (502, 1));
}

#[test]
fn a_connection_that_the_proxy_closes_itself_teaches_nothing_of_the_upstream() {
    // More than the proxy keeps: when the slow ones end, the oldest of the others are closed.
    const COUNT: usize = 300;
    let all_are_here = Barrier::new(COUNT);
    let upstream = Upstream::start(move |connection| {
        let Some(request) = connection.request() else { return };
        all_are_here.wait();
        if request.contains("/slow") {
            thread::sleep(Duration::from_millis(1200));
        }
        connection.write(OK);
        while connection.request().is_some() {
            connection.write(OK);
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut clients: Vec<_> = (0..COUNT).map(|_| proxy.client()).collect();
    for (nth, client) in clients.iter_mut().enumerate() {
        let path = if nth < 200 { "fast" } else { "slow" };
        client.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    upstream.wait_for_closed(COUNT - 256);
    // Longer than half of the time after which the oldest ones were closed.
    thread::sleep(Duration::from_millis(800));
    clients[0].get("/");
    assert_eq!(upstream.connections(), COUNT);
}
