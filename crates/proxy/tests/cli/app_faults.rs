//! The answers to a client when the app dies, hangs or starts again: the README's table, row by
//! row.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    app::App,
    client::{Answer, Client, header},
    hold_start::full_listener,
    support::{OK, Proxy, Signal},
    upstream::Upstream,
};

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

fn before(app: &App, arguments: &[&str]) -> Proxy {
    let front = ["--listen", "127.0.0.1:0", "--upstream", &app.url(), "--direction", "inbound"];
    Proxy::run(&[&front, arguments].concat())
}

/// An app that never answers requests for `/wait`, and answers those for `/half` in part
fn app() -> App {
    App::running(Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            match request.split(' ').nth(1) {
                Some("/wait") => thread::sleep(Duration::from_secs(60)),
                Some("/half") => {
                    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
                    thread::sleep(Duration::from_secs(60));
                }
                Some("/chunk") => {
                    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
                    thread::sleep(Duration::from_secs(60));
                }
                _ => connection.write(OK),
            }
        }
    }))
}

fn reason(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body.trim_end().rsplit(' ').next().unwrap_or_default())
}

#[test]
fn an_app_that_dies_before_it_answers_is_502_and_a_port_that_is_closed_503() {
    for method in ["GET", "POST"] {
        let mut app = app();
        let proxy = before(&app, &[]);
        let mut client = proxy.client();
        client.send(format!("{method} /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        app.wait_for_requests(1);
        app.kill();
        assert_eq!(reason(&client.answer()), (502, "upstream-closed"), "{method}");
        // The client's own connection goes on.
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(reason(&client.answer()), (503, "app-down"), "{method}");
        proxy.stop();
    }
}

#[test]
fn an_app_that_dies_in_mid_answer_breaks_the_answer_off() {
    for path in ["/half", "/chunk"] {
        let mut app = app();
        let proxy = before(&app, &[]);
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(client.head().unwrap().starts_with("HTTP/1.1 200 OK"));
        if path == "/half" {
            assert_eq!(client.bytes(5), "half ");
        } else {
            assert_eq!(client.chunk(), "half");
        }
        app.kill();
        // Neither the length nor a last chunk comes, so the client knows.
        assert_eq!(client.rest(), "");
        proxy.stop();
    }
}

#[test]
fn an_app_that_starts_again_between_two_requests_costs_none_of_them() {
    let mut app = app();
    let proxy = before(&app, &[]);
    let mut client = proxy.client();
    for _ in 0..5 {
        client.send(POST);
        assert_eq!(client.answer().status, 200);
        app.kill();
        app.start();
        client.send(POST);
        assert_eq!(client.answer().status, 200);
        assert_eq!(client.get("/").status, 200);
    }
    proxy.stop();
}

#[test]
fn an_app_that_dies_while_it_reads_a_body_is_502() {
    let mut app = app();
    let proxy = before(&app, &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello");
    let fresh = format!("sidekit_proxy_upstream_connections_total{{kind=\"fresh\",upstream=\"{}\"}}", app.address);
    harness::until("the request has gone on", || (proxy.metric(&fresh) > 0).then_some(()));
    thread::sleep(Duration::from_millis(100));
    app.kill();
    let answer = client.answer();
    assert_eq!(reason(&answer), (502, "upstream-closed"));
    // The rest of the body would be read as a request.
    assert_eq!(header(&answer.head, "connection"), Some("close"));
    proxy.stop();
}

#[test]
fn an_app_that_hangs_is_waited_for_and_then_504() {
    let app = app();
    let proxy = before(&app, &["--request-timeout", "2s"]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").status, 200);
    app.halt();
    // Over the kept connection, and over a new one, which the kernel accepts for the app
    for mut client in [client, proxy.client()] {
        let start = Instant::now();
        assert_eq!(reason(&client.get("/")), (504, "upstream-silent"));
        assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
    }
    let mut waiting = proxy.client();
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    thread::sleep(Duration::from_millis(300));
    app.signal(Signal::CONT);
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(Client::new(proxy.address).get("/").status, 200);
    proxy.stop();
}

#[test]
fn an_app_that_takes_no_more_connections_is_504_after_5_seconds() {
    let full = full_listener();
    let upstream = format!("http://{}", full.0.local_addr().unwrap());
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &upstream]);
    let start = Instant::now();
    assert_eq!(reason(&proxy.client().get("/")), (504, "upstream-unreachable"));
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    proxy.stop();
}

#[test]
fn a_request_that_may_be_repeated_survives_the_death_of_its_kept_connection() {
    // The first request after one that was answered kills its connection.
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(OK);
        connection.request();
    });
    for (method, expected) in [("GET", (200, "ok")), ("PUT", (200, "ok")), ("POST", (502, "upstream-closed"))] {
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(&request);
        assert_eq!(client.answer().status, 200);
        client.send(&request);
        let answer = client.answer();
        assert_eq!(reason(&answer), expected, "{method}");
        proxy.stop();
    }
}

#[test]
fn liveness_and_readiness_of_the_proxy_do_not_hang_on_the_app() {
    let mut app = app();
    let proxy = before(&app, &[]);
    for step in [|app: &mut App| app.halt(), App::kill] {
        step(&mut app);
        thread::sleep(Duration::from_millis(200));
        for path in ["/livez", "/readyz", "/startupz"] {
            assert_eq!(harness::http::get(proxy.health, path).status, 200, "{path}");
        }
    }
    proxy.stop();
}
