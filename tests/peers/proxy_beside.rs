//! The same bytes through our proxy, nginx and `HAProxy`: what each of them does is a row of a table in the proxy's README.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use e2e::peers::front::Front;

use crate::proxy_requests::{Look, REQUESTS, Request};

/// None of them takes longer to answer or refuse a whole request.
const PATIENCE: Duration = Duration::from_secs(3);

/// An app that keeps the bytes that it gets, and answers each head
struct App {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl App {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let app = Self { address, heard: heard.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = heard.clone();
                thread::spawn(move || serve(stream, &heard));
            }
        });
        app
    }

    /// Takes what was heard.
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Answers when a request seems to be whole, and closes, so that no two rows share a connection.
fn serve(mut stream: TcpStream, heard: &Mutex<Vec<u8>>) {
    let (mut request, mut room) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let Ok(length @ 1..) = stream.read(&mut room) else { return };
        heard.lock().unwrap().extend_from_slice(&room[..length]);
        request.extend_from_slice(&room[..length]);
        if is_whole(&request) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            let _ = stream.shutdown(Shutdown::Write);
            // The rest is read, so that no reset takes the answer along.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            return;
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding:") {
        return body.ends_with("\r\n\r\n");
    }
    let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// The status of the answer, or what happens instead
fn answer(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // A proxy may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let (mut answer, mut room, start) = (Vec::new(), [0; 4096], Instant::now());
    while start.elapsed() < PATIENCE {
        match stream.read(&mut room) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&room[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(_) => break,
        }
        let text = String::from_utf8_lossy(&answer);
        let mut heads = text.split("\r\n\r\n").filter(|head| head.starts_with("HTTP/1."));
        let status = |head: &str| head.split(' ').nth(1)?.trim().parse::<u16>().ok();
        if let Some(status) = heads.find_map(|head| status(head).filter(|status| *status >= 200)) {
            return status.to_string();
        }
    }
    if answer.is_empty() { "closes".into() } else { "another protocol".into() }
}

/// What a proxy did with a request, as the table has it
fn outcome(front: &Front, app: &App, request: &Request) -> String {
    app.take();
    let answer = answer(front.address, &request.bytes());
    let arrived = app.take();
    if arrived.is_empty() {
        return answer;
    }
    let forwarded = looked_at(&arrived, request.look);
    // HTTP/0.9 has no head.
    if ["200", "another protocol"].contains(&&*answer) { forwarded } else { format!("{forwarded}, {answer}") }
}

/// The part of a forwarded request that the row is about
fn looked_at(request: &[u8], look: Look) -> String {
    // Each byte is a character.
    let text: String = request.iter().map(|byte| char::from(*byte)).collect();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let shown = |char: char| match u8::try_from(char) {
        Ok(byte @ b' '..=b'~') => char::from(byte).to_string(),
        Ok(byte) => byte.escape_ascii().to_string(),
        Err(_) => String::new(),
    };
    let quoted = |text: &str| format!("`{}`", text.trim_end_matches(' ').chars().map(shown).collect::<String>());
    match look {
        Look::Line => quoted(head.lines().next().unwrap_or_default()),
        Look::Body if body.is_empty() => "no body".into(),
        Look::Body => quoted(body),
        Look::Headers(names) => {
            let lines = head.lines().skip(1).map(|line| line.split_once(": ").unwrap_or((line, "")));
            let wanted = lines.filter(|(name, _)| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)));
            let wanted: Vec<_> =
                wanted.map(|(name, value)| quoted(&format!("{}: {value}", name.to_lowercase()))).collect();
            if wanted.is_empty() { "forwards without".into() } else { wanted.join(", ") }
        }
    }
}

#[test]
fn every_difference_stands_in_the_readme() {
    let apps = [App::start(), App::start(), App::start()];
    let fronts = [Front::ours(apps[0].address, &[]), Front::nginx(apps[1].address), Front::haproxy(apps[2].address)];
    let rows: Vec<_> = REQUESTS
        .iter()
        .map(|request| {
            let cells: Vec<_> = fronts.iter().zip(&apps).map(|(front, app)| outcome(front, app, request)).collect();
            format!("| {} | {} | {} |", request.name, cells.join(" | "), request.why)
        })
        .collect();
    let readme = include_str!("../../crates/proxy/README.md");
    let missing: Vec<_> = rows.iter().filter(|row| !readme.contains(row.as_str())).collect();
    assert!(
        missing.is_empty(),
        "the table in crates/proxy/README.md should be\n{}\nand lacks\n{missing:#?}",
        rows.join("\n")
    );
}
