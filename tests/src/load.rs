//! Clients whose requests start by a clock, as those of many users do: a server that is slow or away delays none of them.
//!
//! They keep connections as HTTP clients do: a kept connection is looked at before it is used again, none is kept idle for longer than
//! [`LONGEST_IDLE`], and nothing is sent twice. Those of HTTP/2 send again what the server surely has not begun (RFC 9113, section 8.7).
//!
//! Long because clients of HTTP/1.1, the clock and the outcome stand together; those of HTTP/2 have a file of their own.

mod http2;
mod tls;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    rc::Rc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::http2::StreamClients;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime, select,
    sync::oneshot,
    task::{JoinSet, LocalSet},
    time,
};

/// Shorter than any drain
pub const LONGEST_IDLE: Duration = Duration::from_secs(2);
/// Connections that are kept at most, and opened before one is used again
const CONNECTIONS: usize = 24;
/// A request without an answer after this time has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Each fourth request is one that a proxy must never send twice.
const POST_EVERY: u64 = 4;
/// Of an answer's head
const HEAD_LIMIT: usize = 64 << 10;
/// Failures with words; the rest is counted.
const NAMED: usize = 20;

/// Clients at work in a thread of their own, until they are told to end
pub struct Load {
    end: oneshot::Sender<()>,
    thread: JoinHandle<Outcome>,
}

/// The answers to all requests
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that the clock has started
    pub sent: u64,
    /// Requests without the app's own answer
    pub failed: u64,
    /// The first of them, each with its time since the start
    pub failures: Vec<String>,
    /// Connections that were opened
    pub connections: u64,
    /// The longest time from a request's start to the end of its answer
    pub slowest: Duration,
}

/// The protocol of the clients
#[derive(Clone, Debug)]
pub enum Protocol {
    /// HTTP/1.1 without TLS
    Http1,
    /// HTTP/2 by TLS, with a server that this authority (PEM) vouches for under this name
    Http2 {
        /// The certificate of the authority
        authority: String,
        /// The name of the server
        name: String,
    },
    /// gRPC without TLS: each call is a stream both ways, which lasts some seconds
    Grpc,
}

impl Load {
    /// Starts this number of requests a second over HTTP/1.1.
    pub fn start(address: SocketAddr, a_second: u32) -> Self {
        Self::start_with(&Protocol::Http1, address, a_second)
    }

    /// Starts this number of requests a second with this protocol.
    pub fn start_with(protocol: &Protocol, address: SocketAddr, a_second: u32) -> Self {
        let (end, ended) = oneshot::channel();
        let protocol = protocol.clone();
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            LocalSet::new().block_on(&runtime, async {
                match protocol {
                    Protocol::Http1 => {
                        let clients = Clients::new(address);
                        let outcome = keep_asking(a_second, ended, |number| clients.clone().ask(number)).await;
                        Outcome { connections: clients.opened.get(), ..outcome }
                    }
                    Protocol::Http2 { authority, name } => {
                        let tls = tls::client(&authority, &name);
                        StreamClients::new(address, Some(tls)).keep_asking(a_second, ended).await
                    }
                    Protocol::Grpc => StreamClients::new(address, None).keep_asking(a_second, ended).await,
                }
            })
        };
        Self { end, thread: thread::spawn(run) }
    }

    /// Starts no more requests, and waits for the answers to those that were started.
    pub fn end(self) -> Outcome {
        let _ = self.end.send(());
        self.thread.join().expect("clients that end")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, failed, failures, connections, slowest } = self;
        write!(out, "{sent} requests over {connections} connections, {failed} failed, the slowest took {slowest:.0?}")?;
        failures.iter().try_for_each(|failure| write!(out, "\n  {failure}"))
    }
}

/// The end of one request
type Answered = Result<Duration, String>;

struct Clients {
    address: SocketAddr,
    start: Instant,
    /// The one that waits longest comes first, so that all of them are used.
    kept: RefCell<VecDeque<Kept>>,
    open: Cell<usize>,
    opened: Cell<u64>,
}

/// An idle connection
struct Kept {
    connection: Connection,
    since: Instant,
}

/// Starts a request now and at each tick until the end is asked for, and waits for the answers.
async fn keep_asking<A: Future<Output = Answered> + 'static>(
    a_second: u32,
    mut ended: oneshot::Receiver<()>,
    ask: impl Fn(u64) -> A,
) -> Outcome {
    // Ticks that were missed come at once: the clock does not wait.
    let mut clock = time::interval(Duration::from_secs(1) / a_second);
    let (mut outcome, mut requests) = (Outcome { sent: 1, ..Outcome::default() }, JoinSet::new());
    clock.tick().await;
    requests.spawn_local(ask(0));
    loop {
        select! {
            biased;
            _ = &mut ended => break,
            Some(answered) = requests.join_next() => outcome.note(answered.expect("a request that ends")),
            _ = clock.tick() => {
                requests.spawn_local(ask(outcome.sent));
                outcome.sent += 1;
            }
        }
    }
    while let Some(answered) = requests.join_next().await {
        outcome.note(answered.expect("a request that ends"));
    }
    outcome
}

impl Clients {
    fn new(address: SocketAddr) -> Rc<Self> {
        let (kept, open, opened) = Default::default();
        Rc::new(Self { address, start: Instant::now(), kept, open, opened })
    }

    async fn ask(self: Rc<Self>, number: u64) -> Answered {
        let start = Instant::now();
        let method = if number.is_multiple_of(POST_EVERY) { "POST" } else { "GET" };
        let answer = async {
            let mut connection = self.connection().await.map_err(|error| format!("no connection: {error}"))?;
            let (nth, reused) = (connection.requests, connection.requests > 0);
            connection.requests += 1;
            let place = |error| format!("request {nth} of a connection (reused: {reused}): {error}");
            let goes_on = connection.ask(method, number).await.map_err(place)?;
            if goes_on {
                self.kept.borrow_mut().push_back(Kept { connection, since: Instant::now() });
            }
            Ok(start.elapsed())
        };
        let answered = time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        answered.map_err(|error| {
            format!("{:.1}s: {method} {number}: {error}", start.duration_since(self.start).as_secs_f64())
        })
    }

    /// A kept connection where all have been opened, or else a new one
    async fn connection(self: &Rc<Self>) -> io::Result<Connection> {
        while let Some(Kept { connection, since }) = self.next_kept() {
            if since.elapsed() < LONGEST_IDLE && connection.is_open() {
                return Ok(connection);
            }
        }
        let open = Open::count(self);
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.opened.set(self.opened.get() + 1);
        Ok(Connection { stream, requests: 0, _open: open })
    }

    fn next_kept(&self) -> Option<Kept> {
        if self.open.get() < CONNECTIONS { None } else { self.kept.borrow_mut().pop_front() }
    }
}

impl Outcome {
    fn note(&mut self, answered: Answered) {
        match answered {
            Ok(time) => self.slowest = self.slowest.max(time),
            Err(failure) => {
                self.failed += 1;
                if self.failures.len() < NAMED {
                    self.failures.push(failure);
                }
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    requests: u64,
    _open: Open,
}

impl Connection {
    /// Whether the server has neither closed it nor said anything that was not asked for
    fn is_open(&self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads the app's answer; whether another request may follow.
    async fn ask(&mut self, method: &str, number: u64) -> Result<bool, String> {
        let body = if method == "POST" { r#"{"message":"a visit"}"# } else { "" };
        let length = body.len();
        let request = format!("{method} /?n={number} HTTP/1.1\r\nHost: web\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes()).await.map_err(|error| format!("cannot send: {error}"))?;
        let mut answer = Vec::new();
        let head = loop {
            if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break answer.drain(..end + 4).collect::<Vec<_>>();
            }
            self.read(&mut answer).await?;
            if answer.len() > HEAD_LIMIT {
                return Err("an answer without an end of its head".into());
            }
        };
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let header =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let first = head.lines().next().unwrap_or_default();
        // An app may refuse a method; the proxy's own answers have Proxy-Status.
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        // An answer of 204 has none.
        let length = header("content-length").or((status == 204).then_some("0"));
        let length: usize = length.and_then(|length| length.parse().ok()).ok_or("an answer without a length")?;
        while answer.len() < length {
            self.read(&mut answer).await?;
        }
        if !(200..500).contains(&status) || header("proxy-status").is_some() {
            return Err(format!("{first} {}", header("proxy-status").unwrap_or_default()));
        }
        Ok(header("connection") != Some("close"))
    }

    async fn read(&mut self, answer: &mut Vec<u8>) -> Result<(), String> {
        match self.stream.read_buf(answer).await {
            Ok(0) => Err("closed without a whole answer".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no answer: {error}")),
        }
    }
}

/// A connection that counts as open
struct Open(Rc<Clients>);

impl Open {
    fn count(clients: &Rc<Clients>) -> Self {
        clients.open.set(clients.open.get() + 1);
        Self(clients.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}
