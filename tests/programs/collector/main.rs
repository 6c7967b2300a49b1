//! A collector for tests and for the demo: counts every line by the number in it, and answers as the test asks.
//!
//! `test-collector ADDRESS [FILE]` takes, over HTTP/1.1,
//! - `POST` of lines as objects with a `message`, at any path but the next one. It appends the messages to FILE before it answers;
//! - `POST /tell/ANSWER`: its answer to lines from now on, one of `keep`, `slow`, `refuse` and `hang`;
//! - `GET`, at any path: a report of the lines that arrived, as JSON.

mod tally;

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;
use tally::Tally;

/// Longer than any batch of a helper's
const BODY_LIMIT: u64 = 64 << 20;
/// Of a request's line and headers together
const HEAD_LIMIT: u64 = 64 << 10;
/// The time of an answer in the mode `slow`: long enough that a sender under load is always behind
const SLOWNESS: Duration = Duration::from_millis(200);

/// The answer to lines
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Answer {
    /// They are counted.
    #[default]
    Keep,
    /// They are counted after a while.
    Slow,
    /// They are answered with 503.
    Refuse,
    /// They are not read, and when that is over the connection is closed.
    Hang,
}

#[derive(Default)]
struct Collector {
    answer: Mutex<Answer>,
    told: Condvar,
    tally: Mutex<Tally>,
    file: Option<File>,
}

/// The part of a request that comes before its body
struct Head {
    method: String,
    path: String,
    length: u64,
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "0.0.0.0:8080".to_owned());
    let file = arguments.next().map(|path| OpenOptions::new().append(true).create(true).open(path)).transpose()?;
    let collector = Arc::new(Collector { file, ..Collector::default() });
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listens on {}", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let (stream, collector) = (stream?, collector.clone());
        thread::spawn(move || serve(&stream, &collector));
    }
    Ok(())
}

/// Serves one request after another, until the sender or an answer ends the connection.
fn serve(stream: &TcpStream, collector: &Collector) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = read_head(&mut reader)? {
        let body = reader.by_ref().take(head.length);
        match (head.method.as_str(), head.path.strip_prefix("/tell/")) {
            ("POST", Some(answer)) => {
                io::copy(&mut { body }, &mut io::sink())?;
                let known = collector.tell(answer);
                reply(stream, if known { 204 } else { 404 }, "")?;
            }
            ("POST", None) => {
                let Some(status) = collector.take(body)? else { break };
                reply(stream, status, "")?;
            }
            _ => reply(stream, 200, &lock(&collector.tally).report().to_string())?,
        }
    }
    Ok(())
}

impl Collector {
    fn tell(&self, answer: &str) -> bool {
        let answer = match answer {
            "keep" => Answer::Keep,
            "slow" => Answer::Slow,
            "refuse" => Answer::Refuse,
            "hang" => Answer::Hang,
            _ => return false,
        };
        *lock(&self.answer) = answer;
        self.told.notify_all();
        true
    }

    /// The status that a batch of lines is answered with; `None` for none
    fn take(&self, mut body: impl Read) -> io::Result<Option<u16>> {
        let answer = *lock(&self.answer);
        if answer == Answer::Hang {
            let hangs = |answer: &mut Answer| *answer == Answer::Hang;
            drop(self.told.wait_while(lock(&self.answer), hangs).unwrap_or_else(PoisonError::into_inner));
            return Ok(None);
        }
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)?;
        match answer {
            Answer::Refuse => return Ok(Some(503)),
            Answer::Slow => thread::sleep(SLOWNESS),
            Answer::Keep | Answer::Hang => {}
        }
        let mut kept = String::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line)?;
            let message = line["message"].as_str().ok_or_else(|| malformed("a line without a message"))?;
            lock(&self.tally).count(message);
            if self.file.is_some() {
                kept += message;
                kept.push('\n');
            }
        }
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(kept.as_bytes())?;
        }
        Ok(Some(204))
    }
}

/// The next request; `None` at the end of the connection
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut reader = reader.take(HEAD_LIMIT);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(malformed("a request without an end"));
        }
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => {
                length = value.trim().parse().map_err(|_| malformed("a length that is no number"))?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(malformed("no request line")) };
    if length > BODY_LIMIT {
        return Err(malformed("a body over the limit"));
    }
    Ok(Some(Head { method: method.to_owned(), path: path.to_owned(), length }))
}

fn reply(mut stream: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    // An answer of 204 must not have a length.
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    // In one write: the second of two small ones would wait until the first is acknowledged.
    let answer = format!("HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n{length}\r\n{body}");
    stream.write_all(answer.as_bytes())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A thread that panicked has counted whole lines or none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
