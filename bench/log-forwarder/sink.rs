//! A collector that reads and discards, for `run`: lines over TCP, or HTTP/1.1 that answers as Elasticsearch, Loki and OTLP do.
//!
//! usage: sink tcp|http [stamps]. Prints its port. Each line on standard input asks: `count` is answered with the bytes, lines
//! and requests so far, `delays` with the microseconds from each `stamp=NANOSECONDS-SINCE-1970.` in the content to its arrival, and both start anew.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    mem,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

const ROOM: usize = 256 * 1024;
const STAMP: &[u8] = b"stamp=";
const DIGITS: usize = 19;
const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const CREATED: &str = r#"{"create":{"status":201}}"#;

#[derive(Default)]
struct Tally {
    bytes: usize,
    lines: usize,
    requests: usize,
    delays: Vec<i128>,
}

struct Sink {
    tally: Mutex<Tally>,
    speaks_http: bool,
    has_stamps: bool,
}

impl Sink {
    fn count(&self, bytes: &[u8], requests: usize) {
        let lines = lines(bytes);
        let mut tally = self.tally.lock().unwrap();
        tally.bytes += bytes.len();
        tally.lines += lines;
        tally.requests += requests;
        if self.has_stamps {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().cast_signed();
            tally.delays.extend(stamps(bytes).map(|stamp| (now - stamp) / 1000));
        }
    }

    fn lines(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut room = vec![0; ROOM];
        // What of the last read may be the beginning of a line
        let mut kept = 0;
        loop {
            let read = stream.read(&mut room[kept..])?;
            if read == 0 {
                return Ok(());
            }
            let filled = kept + read;
            let whole = room[..filled].iter().rposition(|byte| *byte == b'\n').map_or(filled, |at| at + 1);
            self.count(&room[..whole], 0);
            room.copy_within(whole..filled, 0);
            kept = filled - whole;
        }
    }

    fn requests(&self, stream: TcpStream) -> io::Result<()> {
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::with_capacity(ROOM, stream);
        let mut body = Vec::new();
        while let Some((path, length)) = head(&mut requests)? {
            body.resize(length, 0);
            requests.read_exact(&mut body)?;
            self.count(&body, 1);
            match path.as_str() {
                path if path.ends_with("_bulk") => answers.write_all(created(&body).as_bytes())?,
                "/loki/api/v1/push" => answers.write_all(NO_CONTENT)?,
                _ => answers.write_all(ACCEPTED)?,
            }
        }
        Ok(())
    }
}

/// What a bulk request is answered with, as far as it asks for it: an action and a document have a line each.
fn created(body: &[u8]) -> String {
    let items = vec![CREATED; lines(body) / 2].join(",");
    let reply = format!(r#"{{"errors":false,"items":[{items}]}}"#);
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{reply}", reply.len())
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn stamps(bytes: &[u8]) -> impl Iterator<Item = i128> {
    let starts = bytes.windows(STAMP.len()).enumerate().filter(|(_, window)| *window == STAMP);
    starts.filter_map(|(at, _)| str::from_utf8(bytes.get(at + STAMP.len()..)?.get(..DIGITS)?).ok()?.parse().ok())
}

/// The path of a request, without its query, and the length of its body
fn head(requests: &mut impl BufRead) -> io::Result<Option<(String, usize)>> {
    let mut line = String::new();
    if requests.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        requests.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok(Some((path, length))) };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => return Err(io::Error::other("chunks are not understood here")),
            _ => {}
        }
    }
}

fn serve(sink: &Arc<Sink>, listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        let sink = sink.clone();
        thread::spawn(move || {
            let end = if sink.speaks_http { sink.requests(stream) } else { sink.lines(stream) };
            if let Err(error) = end
                && error.kind() != io::ErrorKind::ConnectionReset
            {
                eprintln!("sink: {error}");
            }
        });
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let sink = Arc::new(Sink {
        tally: Mutex::default(),
        speaks_http: arguments[0] == "http",
        has_stamps: arguments.get(1).is_some_and(|word| word == "stamps"),
    });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let served = sink.clone();
    thread::spawn(move || serve(&served, &listener));
    for question in io::stdin().lines() {
        let tally = &mut *sink.tally.lock().unwrap();
        match question?.as_str() {
            "count" => {
                println!("{} {} {}", tally.bytes, tally.lines, tally.requests);
                *tally = Tally { delays: mem::take(&mut tally.delays), ..Tally::default() };
            }
            _ => println!("{}", mem::take(&mut tally.delays).iter().map(i128::to_string).collect::<Vec<_>>().join(" ")),
        }
    }
    Ok(())
}
