//! One side speaks TLS and the other does not: the message names the scheme or the option to write.

use std::io::{Read, Write};

use crate::support::{
    Program,
    http::{Http, response},
    mysql::greeting_with_tls,
    never, reason, run,
    server::{ClosedPort, Server, reset},
    wait_for,
};

#[test]
fn a_plain_server_is_named_to_a_target_with_tls() {
    let closing = Server::start(|mut stream, _| drop(stream.read(&mut [0; 4096])));
    for (url, remedy) in [
        (closing.url("ldaps"), "write ldap://"),
        (closing.url("grpcs"), "write grpc://"),
        (format!("{}#tls=require", closing.url("redis")), "leave the option tls out"),
    ] {
        let said = reason(&[&format!("{url}{}insecure", if url.contains('#') { "&" } else { "#" })]);
        assert_eq!(said, format!("closed amid the TLS handshake; is the port a plain one? then {remedy}"));
    }
}

/// A server that greets, if it speaks first, gives these answers, and goes when TLS begins
fn agreeing(greeting: Vec<u8>, answers: &'static [&'static [u8]]) -> Server {
    Server::start(move |mut stream, _| {
        let _ = stream.write_all(&greeting);
        for answer in answers {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
        let _ = stream.read(&mut [0; 4096]);
    })
}

#[test]
fn a_server_that_has_agreed_to_tls_is_not_taken_for_a_plain_one() {
    const START_TLS: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0";
    for url in [
        agreeing(Vec::new(), &[b"S"]).url("postgres"),
        agreeing(b"220 mail\r\n".into(), &[b"250 STARTTLS\r\n", b"220 ok\r\n"]).url("smtp"),
        agreeing(Vec::new(), &[START_TLS]).url("ldap"),
        agreeing(b"INFO {\"tls_required\":true}\r\n".into(), &[]).url("nats"),
        agreeing(greeting_with_tls(), &[]).url("mysql"),
    ] {
        let said = reason(&[&format!("{url}#tls=require&insecure")]);
        assert_eq!(said, "closed amid the TLS handshake", "{url}");
    }
}

#[test]
fn several_hosts_have_the_hint_too() {
    let closing = Server::start(|mut stream, _| drop(stream.read(&mut [0; 4096])));
    let closed = ClosedPort::new();
    let hosts = format!("{},127.0.0.1:{}", closing.address, closed.port());
    let said = reason(&[&format!("kafka://{hosts}")]);
    let hint = "does the server want TLS? then write kafkas://";
    assert_eq!(said, format!("{}: closed without an answer; {hint}", closing.address));
    let said = reason(&[&format!("kafkas://{hosts}#insecure")]);
    let hint = "is the port a plain one? then write kafka://";
    assert_eq!(said, format!("{}: closed amid the TLS handshake; {hint}", closing.address));
}

#[test]
fn a_reset_at_once_has_the_same_hint_in_each_attempt() {
    let resetting = Server::start(|stream, _| reset(stream));
    for (scheme, remedy) in [("redis", "write rediss://"), ("kafka", "write kafkas://")] {
        // In about half of the attempts the reset comes while the client still dials.
        let ended = run(&["--interval", "1ms", "--timeout", "1s", &resetting.url(scheme)]);
        let reasons: Vec<_> = ended.messages("not ready").iter().map(|line| line["reason"].clone()).collect();
        assert_eq!(reasons, [format!("closed without an answer; does the server want TLS? then {remedy}")]);
    }
}

#[test]
fn a_server_that_goes_at_once_has_one_reason_in_each_attempt() {
    let servers = || [Server::start(|stream, _| drop(stream)), Server::start(|stream, _| reset(stream))];
    let started = ["http", "https", "grpc"].map(|scheme| {
        servers().map(|server| {
            let mut command = wait_for(&["--timeout", "3s", "--interval", "20ms", &server.url(scheme)]);
            (Program::start(&mut command), server)
        })
    });
    for (program, _server) in started.into_iter().flatten() {
        let ended = program.end();
        assert_eq!((ended.code, ended.messages("not ready").len()), (Some(124), 1), "{ended:#?}");
    }
}

#[test]
fn an_alert_names_the_scheme_with_tls() {
    let alert = Server::start(|mut stream, _| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"\x15\x03\x01\0\x02\x02\x46");
    });
    assert_eq!(never(69, &[&alert.url("ldap")]), "the server speaks TLS: write ldaps://");
    assert_eq!(never(69, &[&alert.url("http")]), "the server speaks TLS: write https://");
    assert_eq!(never(69, &[&format!("{}#http2", alert.url("http"))]), "the server speaks TLS: write https://");
    assert_eq!(never(69, &[&alert.url("grpc")]), "the server speaks TLS: write grpcs://");
}

#[test]
fn an_http_answer_that_asks_for_tls_ends_the_wait_at_once() {
    // Go, nginx, Apache and Tomcat
    for words in [
        "Client sent an HTTP request to an HTTPS server.",
        "<p>The plain HTTP request was sent to HTTPS port</p>",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
        "Bad Request\nThis combination of host and port requires TLS.",
    ] {
        let server = Http::start(move |_| response("400 Bad Request", &[], words));
        let said = never(69, &[&server.url("/")]);
        assert_eq!(said, "HTTP 400 Bad Request: the server wants TLS, so write https://");
    }
    let server = Http::start(|_| response("400 Bad Request", &[], "no"));
    assert_eq!(reason(&[&server.url("/")]), "HTTP 400 Bad Request");
}

#[test]
fn a_port_that_closes_on_http2_may_want_tls() {
    let closing = Server::start(|mut stream, _| drop(stream.read(&mut [0; 4096])));
    let hint = "closed without an answer; does the server want TLS? then";
    assert_eq!(reason(&[&closing.url("grpc")]), format!("{hint} write grpcs://"));
    assert_eq!(reason(&[&format!("{}#http2", closing.url("http"))]), format!("{hint} write https://"));
}
