//! Requests to servers that speak HTTP, without a library, because the tests judge the servers' own answers.

use std::net::Ipv4Addr;

use harness::http;
use serde_json::Value;

/// Sends a request to a port on loopback; status and body of the answer. It is HTTP/1.0, so that the body ends with the connection.
pub fn ask(port: u16, method: &str, target: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = http::raw((Ipv4Addr::LOCALHOST, port).into(), &request);
    (answer.status, answer.body)
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
