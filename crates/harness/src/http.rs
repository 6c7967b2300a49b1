//! A plain HTTP/1.1 client that shows every byte of an answer.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::until::{DEADLINE, until};

/// An answer
#[derive(Debug)]
pub struct Answer {
    /// Status code
    pub status: u16,
    /// Status line and headers, in lower case
    pub head: String,
    /// Everything behind the empty line
    pub body: String,
}

/// Sends `GET`.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path)
}

/// Sends a request without a body.
#[track_caller]
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    raw(address, &request(method, path))
}

/// Sends bytes as they are, and reads until the server closes the connection.
#[track_caller]
pub fn raw(address: SocketAddr, request: &str) -> Answer {
    try_raw(address, request).unwrap()
}

/// Sends `GET` to a server that may have ended.
#[track_caller]
pub fn try_get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    try_raw(address, &request("GET", path))
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: pod\r\nContent-Length: 0\r\n\r\n")
}

/// The same, to a server that may have ended.
pub fn try_raw(address: SocketAddr, request: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// Sends `GET` until the answer has this status.
#[track_caller]
pub fn until_status(address: SocketAddr, path: &str, status: u16) -> Answer {
    until(&format!("{path} answers {status}"), || {
        let answer = get(address, path);
        (answer.status == status).then_some(answer)
    })
}
