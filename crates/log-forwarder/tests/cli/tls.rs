//! `https://` and `tls://`: whom to trust, who we are, and files that are renewed.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{Shutdown, TcpListener},
    sync::Arc,
};

use harness::Authority;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{
    collector::{Answer, Collector},
    support::{Pod, Writer, accept, assert_all_there, ledger, line, start, stop},
};

#[test]
fn https_delivers_and_keeps_its_connection() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"]));
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &collector.url_tls(&format!("ca={}", authority.ca()))]);
    for round in 1..=3 {
        writer.write(3000);
        collector.wait_for(&line(round * 3000 - 1));
    }
    let ended = stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 9000);
    assert_eq!((ledger(&ended)["lines"], collector.connections()), (9000, 1));
}

#[test]
fn the_bundle_of_the_system_is_trusted() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"]));
    Writer::new(&pod.log("app.log")).write(5);
    let mut command = pod.command(&["--output", &collector.url_tls("")]);
    let program = start(command.env("SSL_CERT_FILE", authority.ca()));
    collector.wait_for(&line(4));
    stop(program);
}

#[test]
fn retry_after_is_honoured_over_tls() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"]));
    collector.answer([Answer::Say(429, "Retry-After: 1\r\n".into()), Answer::HalfAndClose]);
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &collector.url_tls(&format!("ca={}", authority.ca()))]);
    program.wait_for_reason("429 Too Many Requests: why");
    program.wait_for_message("delivers again");
    stop(program);
    assert_all_there(collector.messages()[2..].iter().map(String::as_str), 5);
}

#[test]
fn an_unknown_authority_is_told_and_its_file_is_read_anew() {
    let (pod, authority, stranger) = (Pod::new(), Authority::new(), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"]));
    let ca = pod.beside("ca.pem");
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &collector.url_tls(&format!("ca={}", ca.display()))]);
    let missing = format!("option ca: cannot read {}: no such file or directory", ca.display());
    program.wait_for_reason(&missing);
    fs::copy(stranger.ca(), &ca).unwrap();
    program.wait_for_reason("the certificate is signed by an unknown authority; name it with ca=PATH");
    fs::copy(authority.ca(), &ca).unwrap();
    program.wait_for_message("delivers again");
    assert_eq!(ledger(&stop(program))["lines"], 5);
    assert_all_there(collector.messages().iter().map(String::as_str), 5);
}

#[test]
fn a_client_certificate_is_shown_where_one_is_wanted_and_renewed() {
    let (pod, authority, stranger) = (Pod::new(), Authority::new(), Authority::new());
    let collector = Collector::start_tls(authority.server_for_known_clients(&["localhost"]));
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &collector.url_tls(&format!("ca={}", authority.ca()))]);
    program.wait_for_reason("the server wants a client certificate: give cert=PATH and key=PATH");
    program.signal(crate::support::Signal::KILL);
    drop(program);

    let (cert, key) = stranger.identity_files(&["client"]);
    let options = format!("ca={}&cert={cert}&key={key}", authority.ca());
    let mut program = pod.start(&["--output", &collector.url_tls(&options)]);
    program.wait_for_reason(
        "the server wants a client certificate, or refuses ours: give cert=PATH and key=PATH that it trusts",
    );
    let renewed = authority.identity_files(&["client"]);
    fs::copy(renewed.1, &key).unwrap();
    fs::copy(renewed.0, &cert).unwrap();
    program.wait_for_message("delivers again");
    stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 5);
}

/// The lines of the next connection
fn lines(listener: &TcpListener, config: Arc<ServerConfig>) -> impl Iterator<Item = String> {
    let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), accept(listener));
    BufReader::new(stream).lines().map(Result::unwrap)
}

#[test]
fn lines_go_over_tls_as_they_are() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(5000);
    let program = pod.start(&["--output", &format!("tls://localhost:{port}#ca={}", authority.ca())]);
    let received: Vec<_> = lines(&listener, authority.server(&["localhost"])).take(5000).collect();
    assert_all_there(received.iter().map(String::as_str), 5000);
    // That connection is closed by now: what comes next goes over a new one.
    writer.write(5);
    let received: Vec<_> = lines(&listener, authority.server(&["localhost"])).take(5).collect();
    assert_eq!(received.last(), Some(&line(5004)));
    stop(program);
}

#[test]
fn nothing_is_sent_to_a_server_that_refuses_our_certificate_after_the_handshake() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &format!("tls://localhost:{port}#ca={}", authority.ca())]);
    let config = authority.server_for_known_clients(&["localhost"]);
    let mut connection = ServerConnection::new(config).unwrap();
    let mut refused = accept(&listener);
    assert!(connection.complete_io(&mut refused).is_err());
    // A socket that is closed with bytes unread resets the connection, and the alert is lost with it.
    refused.shutdown(Shutdown::Write).unwrap();
    let _ = refused.read_to_end(&mut Vec::new());
    program.wait_for_reason("the server wants a client certificate: give cert=PATH and key=PATH");
    let received: Vec<_> = lines(&listener, authority.server(&["localhost"])).take(5).collect();
    assert_all_there(received.iter().map(String::as_str), 5);
    stop(program);
}
