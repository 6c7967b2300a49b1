//! The plainest HTTP client, as a kubelet with nothing to hide.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::{DEADLINE, until};

/// An answer
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path)
}

#[track_caller]
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    raw(address, &format!("{method} {path} HTTP/1.1\r\nHost: pod\r\nContent-Length: 0\r\n\r\n"))
}

/// Sends bytes as they are and reads until the server closes.
#[track_caller]
pub(crate) fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

#[track_caller]
pub(crate) fn until_status(address: SocketAddr, path: &str, status: u16) -> Answer {
    until(&format!("{path} answers {status}"), || {
        let answer = get(address, path);
        (answer.status == status).then_some(answer)
    })
}
