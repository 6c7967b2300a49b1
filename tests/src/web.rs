//! Requests to servers that speak HTTP, without a library, because the tests judge the servers' own answers.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use serde_json::Value;

/// Sends a request to a port on loopback; status and body of the answer. It is HTTP/1.0, so that the body ends with the connection.
pub fn ask(port: u16, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a server that accepts");
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("a server that reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

/// The same; the answer must have a status 2xx and a body of JSON.
pub fn ask_for_json(port: u16, method: &str, target: &str, body: &str) -> Value {
    let (status, body) = ask(port, method, target, body);
    assert!((200..300).contains(&status), "{method} {target}: {status} {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{method} {target}: {error}: {body}"))
}

/// A text, percent-encoded as a value in a query
pub fn escaped(text: &str) -> String {
    let escaped = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escaped).collect()
}
