//! `syslog+tcp://`, `syslog+tls://`, `syslog+udp://`: every frame is right, and every line is in one.

use std::{
    fs,
    io::BufReader,
    net::{TcpListener, UdpSocket},
};

use harness::Authority;
use rustls::{ServerConnection, StreamOwned};

use crate::{
    support::{Pod, Writer, accept, assert_all_there, ledger, line, log_forwarder, start, stop},
    syslog_message::Message,
};

#[test]
fn messages_are_counted_on_a_connection() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Writer::new(&pod.log("app.log")).write(3000);
    let output = format!("syslog+tcp://{}#facility=daemon&sd-id=log@99999", listener.local_addr().unwrap());
    let mut command = pod.command(&["--output", &output]);
    let program = start(command.env("POD_NAME", "web-0").env("CONTAINER_NAME", "nginx"));
    let mut stream = BufReader::new(accept(&listener));
    let messages: Vec<_> = (0..3000).map(|_| Message::read(&mut stream).unwrap()).collect();
    let ended = stop(program);
    assert!(Message::read(&mut stream).is_none());
    assert_all_there(messages.iter().map(|message| message.text.as_str()), 3000);
    for message in &messages {
        assert_eq!((message.priority, &*message.host, &*message.app), (30, "web-0", "nginx"));
    }
    let (id, parameters) = messages[1].element.as_ref().unwrap();
    assert_eq!(id, "log@99999");
    let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(value("file"), Some(pod.log("app.log").display().to_string()));
    assert_eq!(value("offset"), Some((line(0).len() + 1).to_string()));
    assert_eq!(value("k8s.pod.name").as_deref(), Some("web-0"));
    assert_eq!(ledger(&ended)["lines"], 3000);
}

#[test]
fn messages_go_over_tls() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Writer::new(&pod.log("app.log")).write(500);
    let port = listener.local_addr().unwrap().port();
    let output = format!("syslog+tls://localhost:{port}#app=shop&ca={}", authority.ca());
    let program = pod.start(&["--output", &output]);
    let session = ServerConnection::new(authority.server(&["localhost"])).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(session, accept(&listener)));
    let messages: Vec<_> = (0..500).map(|_| Message::read(&mut stream).unwrap()).collect();
    assert_all_there(messages.iter().map(|message| message.text.as_str()), 500);
    assert!(messages.iter().all(|message| message.app == "shop" && message.element.is_none()));
    assert_eq!(ledger(&stop(program))["lines"], 500);
}

#[test]
fn a_connection_that_breaks_is_followed_by_whole_messages() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Writer::new(&pod.log("app.log")).write(60_000);
    let program = pod.start(&["--output", &format!("syslog+tcp://{}", listener.local_addr().unwrap())]);
    let mut stream = BufReader::new(accept(&listener));
    let first = Message::read(&mut stream).unwrap();
    assert_eq!(first.text, line(0));
    // Closed with much unread: that was taken by the system, and is gone.
    drop(stream);
    let mut stream = BufReader::new(accept(&listener));
    let mut texts = vec![Message::read(&mut stream).unwrap().text];
    while texts.last() != Some(&line(59_999)) {
        texts.push(Message::read(&mut stream).unwrap().text);
    }
    let expected: Vec<_> = (60_000 - texts.len() as u64..60_000).map(line).collect();
    assert_eq!(texts, expected);
    stop(program);
}

#[test]
fn a_datagram_holds_a_message_and_what_does_not_fit_is_refused() {
    let pod = Pod::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(harness::DEADLINE)).unwrap();
    let long = "x".repeat(3000);
    fs::write(pod.log("app.log"), format!("one\n{long}\ntwo \u{fc}\n")).unwrap();
    let dead = pod.beside("dead").display().to_string();
    let output = format!("syslog+udp://{}", socket.local_addr().unwrap());
    let program = pod.start(&["--output", &output, "--dead-letter", &dead]);
    let receive = || {
        let mut datagram = [0; 4096];
        let length = socket.recv(&mut datagram).unwrap();
        Message::parse(&datagram[..length])
    };
    let messages = [receive(), receive()];
    let ended = stop(program);
    assert_eq!(messages.each_ref().map(|message| message.text.as_str()), ["one", "two \u{fc}"]);
    assert_eq!(messages[0].priority, 16 * 8 + 6);
    let letter = fs::read_to_string(&dead).unwrap();
    assert!(letter.contains(&long) && letter.contains("is more than max-datagram=2048"), "{letter}");
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (2, 3001));
}

#[test]
fn where_nobody_takes_datagrams_they_are_sent_again() {
    let pod = Pod::new();
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &format!("syslog+udp://{address}")]);
    program.wait_for_reason("connection refused");
    let socket = UdpSocket::bind(address).unwrap();
    program.wait_for_message("delivers again");
    stop(program);
    let mut datagram = [0; 4096];
    for number in 0..5 {
        let length = socket.recv(&mut datagram).unwrap();
        assert_eq!(Message::parse(&datagram[..length]).text, line(number));
    }
}

#[test]
fn levels_are_severities_and_a_trace_is_one_message() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = "level=warn msg=slow\nlvl=50 msg=broken\nmsg=\"as ever\"\n";
    fs::write(pod.log("app.log"), text).unwrap();
    let output = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    let program = pod.start(&["--output", &output, "--format", "logfmt"]);
    let mut stream = BufReader::new(accept(&listener));
    let messages: Vec<_> = (0..3).map(|_| Message::read(&mut stream).unwrap()).collect();
    stop(program);
    let said: Vec<_> = messages.iter().map(|message| (message.priority % 8, message.text.as_str())).collect();
    assert_eq!(said, [(4, "slow"), (3, "broken"), (6, "as ever")]);

    let pod = Pod::new();
    let trace = "Exception in thread \"main\" java.lang.Error: no\n\tat Main.main(Main.java:3)";
    fs::write(pod.log("app.log"), format!("{trace}\nnext\n")).unwrap();
    let program = pod.start(&["--output", &output, "--multiline", "java"]);
    let mut stream = BufReader::new(accept(&listener));
    let messages: Vec<_> = (0..2).map(|_| Message::read(&mut stream).unwrap().text).collect();
    stop(program);
    assert_eq!(messages, [trace, "next"]);
}

#[test]
fn what_is_wrong_with_an_output_is_said() {
    for (output, words) in [
        ("syslog+tcp://h#facility=local9", "option facility: known are kern, user"),
        ("syslog+tcp://h#sd-id=x", "option sd-id is NAME@NUMBER"),
        ("syslog+tcp://h#ca=/x", "option ca is for TLS only: write syslog+tls://"),
        ("syslog+udp://h#max-datagram=1MiB", "a datagram has at most 65507 bytes"),
        ("forward://h#user=x", "options user and password-file go together"),
        ("forward://h#user=x&password-file=/x", "wants shared-key-file too"),
        ("forward://h#cert=/x", "option cert is for TLS only: write forward+tls://"),
        ("otlp+http://h#tag=x", "otlp+http does not know option number 1; it takes "),
    ] {
        let run = log_forwarder(&["--input", "/logs/x", "--output", output]).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(64), "{output}");
        assert!(said.contains(words), "{output}: {said}");
    }
}
