//! A client whose requests start by the clock, also while earlier ones have no answer. It keeps
//! connections and reconnects as HTTP clients do: it uses no connection that was idle for too long,
//! that was to close, or whose end it has seen; it sends no request twice.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use harness::DEADLINE;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinSet, LocalSet},
    time::{self, MissedTickBehavior},
};

/// A client at work in a thread of its own
pub(crate) struct OpenLoop {
    is_over: Arc<AtomicBool>,
    client: JoinHandle<Tally>,
    started: Instant,
    interval: Duration,
}

/// The outcome of all requests
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    /// Over a connection that had carried another one
    pub(crate) reused: usize,
    pub(crate) failures: Vec<String>,
}

/// A connection that may carry another request
struct Kept {
    stream: TcpStream,
    since: Instant,
}

/// The way of a client with a request
#[derive(Clone, Copy)]
enum Manner {
    /// Over a kept connection, if there is one
    Usual,
    /// Over a connection of its own, at once
    Fresh,
    /// Over a connection that waits for a moment before it is used
    Hesitant,
    /// In two parts with a pause between
    Slow,
}

impl OpenLoop {
    /// Starts a request each `interval`. No connection is used that was idle for `longest_idle`.
    pub(crate) fn start(address: SocketAddr, interval: Duration, longest_idle: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let client = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, requests(address, interval, longest_idle, &over))
        });
        Self { is_over, client, started: Instant::now(), interval }
    }

    /// Ends it. None of its requests may have failed, and each that was due must have been sent.
    #[track_caller]
    pub(crate) fn end(self) -> Tally {
        let due = usize::try_from(self.started.elapsed().as_micros() / self.interval.as_micros()).unwrap();
        self.is_over.store(true, SeqCst);
        let tally = self.client.join().unwrap();
        assert!(tally.failures.is_empty(), "{} of {}: {:#?}", tally.failures.len(), tally.sent, tally.failures);
        // Also a machine that is busy starts late ones at last.
        assert!(tally.sent * 10 >= due * 9, "{} of {due}", tally.sent);
        assert!(tally.reused * 5 > tally.sent, "{tally:?}");
        tally
    }
}

async fn requests(address: SocketAddr, interval: Duration, longest_idle: Duration, is_over: &AtomicBool) -> Tally {
    let (kept, mut under_way) = (Rc::new(RefCell::new(Vec::new())), JoinSet::new());
    let mut clock = time::interval(interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tally = Tally::default();
    while !is_over.load(SeqCst) {
        clock.tick().await;
        let manner = match tally.sent % 16 {
            3 | 11 => Manner::Fresh,
            7 => Manner::Hesitant,
            15 => Manner::Slow,
            _ => Manner::Usual,
        };
        tally.sent += 1;
        under_way.spawn_local(request(address, manner, longest_idle, kept.clone()));
    }
    while let Some(ended) = under_way.join_next().await {
        match ended.unwrap() {
            Ok(was_reused) => tally.reused += usize::from(was_reused),
            Err(failure) => tally.failures.push(failure),
        }
    }
    tally
}

/// One request; returns whether its connection had carried another one.
async fn request(
    address: SocketAddr,
    manner: Manner,
    longest_idle: Duration,
    kept: Rc<RefCell<Vec<Kept>>>,
) -> Result<bool, String> {
    let known = if matches!(manner, Manner::Usual) { usable(&kept, longest_idle) } else { None };
    let was_reused = known.is_some();
    let place = |step: &str, error: &io::Error| {
        format!("{step}: {error}; over a {} connection", if was_reused { "kept" } else { "new" })
    };
    let mut stream = match known {
        Some(stream) => stream,
        None => TcpStream::connect(address).await.map_err(|error| place("connect", &error))?,
    };
    let exchange = async {
        let head = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n";
        if matches!(manner, Manner::Hesitant) {
            time::sleep(Duration::from_millis(100)).await;
        }
        let (begin, rest) = head.split_at(if matches!(manner, Manner::Slow) { 10 } else { head.len() });
        stream.write_all(begin).await?;
        if !rest.is_empty() {
            time::sleep(Duration::from_millis(50)).await;
            stream.write_all(rest).await?;
        }
        answer(&mut stream).await
    };
    let exchanged = time::timeout(DEADLINE, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let head = exchanged.map_err(|error| place("answer", &error))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head);
    }
    if !head.to_lowercase().contains("connection: close") {
        kept.borrow_mut().push(Kept { stream, since: Instant::now() });
    }
    Ok(was_reused)
}

/// The connection that was used last, if it may be used again
fn usable(kept: &RefCell<Vec<Kept>>, longest_idle: Duration) -> Option<TcpStream> {
    let mut kept = kept.borrow_mut();
    kept.retain(|kept| kept.since.elapsed() < longest_idle);
    loop {
        let Kept { stream, .. } = kept.pop()?;
        let stream = stream.into_std().unwrap();
        // Nothing is to be read from a connection that can be used: neither an end nor bytes.
        if stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return Some(TcpStream::from_std(stream).unwrap());
        }
    }
}

/// The head of an answer whose body is `ok`
async fn answer(stream: &mut TcpStream) -> io::Result<String> {
    let (mut answer, mut room) = (Vec::new(), [0; 1024]);
    loop {
        let length = stream.read(&mut room).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&room[..length]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, "ok")) = text.split_once("\r\n\r\n") {
            return Ok(head.to_owned());
        }
        if !text.starts_with("HTTP/1.1 200 ") && text.contains("\r\n\r\n") {
            return Ok(text.into_owned());
        }
    }
}
