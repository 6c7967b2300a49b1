//! A server that refuses everybody and repeats what was sent to it, as some do with a login that they do not know.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::LazyLock,
    thread,
};

/// Bytes of a request that are repeated
const LIMIT: usize = 16 * 1024;

/// Where it listens, for as long as the test runs
static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
});

/// `127.0.0.1:PORT`
pub(crate) fn address() -> String {
    ADDRESS.to_string()
}

/// Answers in HTTP or as Redis does, with all of the request in one line.
fn answer(mut stream: TcpStream) {
    let mut heard = vec![0; LIMIT];
    while let Ok(length) = stream.read(&mut heard)
        && length > 0
    {
        let said = String::from_utf8_lossy(&heard[..length]).replace(['\r', '\n'], " ");
        let answer = if said.contains(" HTTP/1.1") {
            format!("HTTP/1.1 401 Who is that\r\nContent-Length: {}\r\n\r\n{said}", said.len())
        } else {
            format!("-ERR {said}\r\n")
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
