//! An app with a page of metrics, for stories and the demo, whose page breaks on request.
//!
//! `test-app ADDRESS NAME [SERIES]` takes, over HTTP/1.1,
//! - `GET`, at any path: its page in text format 0.0.4, with SERIES more series if they are named;
//! - `POST /tell/ANSWER`: its answer from now on, one of `serve`, `break` (a page with a broken line), `cut` (half a page), `hang` (no answer),
//!   and `away`, which closes the connection;
//! - `POST /die`: its end.

use std::{
    env,
    fmt::Write as _,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

/// The most bytes of a request's head
const HEAD_LIMIT: u64 = 64 << 10;
/// The time without an answer, longer than any scrape
const HANG: Duration = Duration::from_secs(600);
/// The number of series of one family
const OF_A_FAMILY: usize = 100;

/// The answer to a scrape
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    Serve,
    Break,
    Cut,
    Hang,
    Away,
}

struct App {
    name: String,
    series: usize,
    answer: Mutex<Answer>,
    /// A counter that grows by one with each page
    orders: AtomicU64,
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err(malformed("usage: test-app ADDRESS NAME [SERIES]"));
    };
    let series =
        arguments.next().map_or(Ok(0), |series| series.parse()).map_err(|_| malformed("SERIES is a number"))?;
    let app = Arc::new(App { name, series, answer: Mutex::default(), orders: AtomicU64::new(0) });
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listens on {}", listener.local_addr()?)?;
    let (end, ended) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (app, end) = (app.clone(), end.clone());
            thread::spawn(move || app.serve(&stream, &end));
        }
    });
    ended.recv().map_err(io::Error::other)
}

impl App {
    /// Serves one request after another, until the client or an answer ends the connection.
    fn serve(&self, mut stream: &TcpStream, end: &Sender<()>) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(Head { method, path, is_last }) = read_head(&mut reader)? {
            if method == "POST" && path == "/die" {
                return end.send(()).map_err(io::Error::other);
            }
            if method == "POST" {
                let status = if self.tell(&path) { 204 } else { 404 };
                // An answer of 204 must not have a length.
                let length = if status == 204 { "" } else { "Content-Length: 0\r\n" };
                let answer = format!("HTTP/1.1 {status} .\r\nConnection: close\r\n{length}\r\n");
                return stream.write_all(answer.as_bytes());
            }
            let answer = *self.answer.lock().unwrap_or_else(PoisonError::into_inner);
            let page = self.page(answer);
            let written = match answer {
                Answer::Away => return Ok(()),
                Answer::Hang => {
                    thread::sleep(HANG);
                    return Ok(());
                }
                Answer::Cut => &page[..page.len() / 2],
                Answer::Serve | Answer::Break => &page,
            };
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 .\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {length}\r\n\r\n"
            );
            // One write, because the second of two small writes would wait until the first is acknowledged.
            stream.write_all((head + written).as_bytes())?;
            if is_last || answer == Answer::Cut {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sets the answer that the path names. False if it names none.
    fn tell(&self, path: &str) -> bool {
        let answer = match path.strip_prefix("/tell/") {
            Some("serve") => Answer::Serve,
            Some("break") => Answer::Break,
            Some("cut") => Answer::Cut,
            Some("hang") => Answer::Hang,
            Some("away") => Answer::Away,
            _ => return false,
        };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        true
    }

    fn page(&self, answer: Answer) -> String {
        let (name, orders) = (&self.name, self.orders.fetch_add(1, Relaxed) + 1);
        let mut page = format!(
            "# HELP {name}_orders_total Pages that were written.\n# TYPE {name}_orders_total counter\n{name}_orders_total {orders}\n\
             # HELP app_up Whether the app runs.\n# TYPE app_up gauge\napp_up 1\n"
        );
        for item in 0..self.series {
            let family = item / OF_A_FAMILY;
            if item % OF_A_FAMILY == 0 {
                let _ = writeln!(page, "# TYPE {name}_items_{family} gauge");
            }
            let _ = writeln!(page, "{name}_items_{family}{{item=\"{item}\",shelf=\"shelf-{family}\"}} {item}.5");
        }
        if answer == Answer::Break {
            page += "this is {no metric\n";
        }
        page
    }
}

/// The parts of a request that matter here
struct Head {
    method: String,
    path: String,
    /// The client asks for the end of the connection behind the answer.
    is_last: bool,
}

/// Method and path of the next request; `None` at the end of the connection
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut reader = reader.take(HEAD_LIMIT);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(malformed("no request line")) };
    let mut is_last = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(malformed("a request without an end"));
        }
        if line.trim_end().is_empty() {
            return Ok(Some(Head { method: method.to_owned(), path: path.to_owned(), is_last }));
        }
        is_last |= line.trim_end().eq_ignore_ascii_case("connection: close");
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
