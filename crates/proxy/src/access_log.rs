//! The access log: a line a request on stdout, by a thread of its own behind a bounded queue.

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::{REFERER, USER_AGENT},
};
use prometheus::IntCounter;
use serde::Serialize;

use crate::{args, refusal::Refusal};

/// Lines that wait for the reader of stdout
const QUEUE: usize = 4096;
/// Bytes of a header that are written
const VALUE_LIMIT: usize = 256;

/// The queue to stdout; each worker has a clone
#[derive(Clone)]
pub(crate) struct AccessLog {
    lines: SyncSender<String>,
    dropped: IntCounter,
    is_json: bool,
}

/// The parts of a request's head that its line needs
#[derive(Debug)]
pub(crate) struct Entry {
    peer: IpAddr,
    method: Method,
    target: String,
    user_agent: String,
    referer: String,
}

/// The end of a request
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) broke_off: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    peer: IpAddr,
    method: &'a str,
    target: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    bytes: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    broke_off: bool,
    user_agent: &'a str,
    referer: &'a str,
}

impl AccessLog {
    /// Starts the thread; nothing if the log is off.
    pub(crate) fn start(form: args::AccessLog, dropped: IntCounter) -> anyhow::Result<Option<Self>> {
        if form == args::AccessLog::Off {
            return Ok(None);
        }
        let (lines, received) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_out(&received))
            .context("cannot start the access log's thread")?;
        Ok(Some(Self { lines, dropped, is_json: form == args::AccessLog::Json }))
    }

    /// Writes the line of a request that has ended, or counts it when the queue is full.
    pub(crate) fn write(&self, entry: &Entry, outcome: Outcome) {
        let line = if self.is_json { json(entry, outcome) } else { combined(entry, outcome) };
        if self.lines.try_send(line).is_err() {
            self.dropped.inc();
        }
    }
}

impl Entry {
    /// Takes the parts from a head. Values of the query may be secrets, so the entry does not keep them.
    pub(crate) fn new(peer: IpAddr, method: &Method, target: &Uri, headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
            value.map(|value| value.chars().take(VALUE_LIMIT).collect()).unwrap_or_default()
        };
        // A referer is a URL, and has a query of its own.
        let referer: String = text(REFERER);
        let (page, query) = referer.split_once('?').unwrap_or((&referer, ""));
        let referer = if query.is_empty() { page.to_owned() } else { format!("{page}?{}", without_values(query)) };
        let target = match target.query() {
            Some(query) => format!("{}?{}", target.path(), without_values(query)),
            None => target.path().to_owned(),
        };
        Self { peer, method: method.clone(), target, user_agent: text(USER_AGENT), referer }
    }
}

/// The names of a query, each with `…` for its value
fn without_values(query: &str) -> String {
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        // Without a name, the whole may be the value.
        None => "…".to_owned(),
    });
    names.collect::<Vec<_>>().join("&")
}

fn json(entry: &Entry, outcome: Outcome) -> String {
    let line = Line {
        time: lifecycle::timestamp(),
        peer: entry.peer,
        method: entry.method.as_str(),
        target: &entry.target,
        status: outcome.status.as_u16(),
        reason: outcome.refusal.map(Refusal::name),
        bytes: outcome.bytes,
        seconds: outcome.elapsed.as_secs_f64(),
        broke_off: outcome.broke_off,
        user_agent: &entry.user_agent,
        referer: &entry.referer,
    };
    serde_json::to_string(&line).expect("a line is JSON") + "\n"
}

/// As Apache and nginx write it. Quotes and control characters are escaped, so that no client can forge a line.
fn combined(entry: &Entry, outcome: Outcome) -> String {
    let quoted = |text: &str| if text.is_empty() { "-".to_owned() } else { text.escape_debug().to_string() };
    format!(
        "{} - - [{}] \"{} {} HTTP/1.1\" {} {} \"{}\" \"{}\"\n",
        entry.peer,
        common_log_time(SystemTime::now()),
        entry.method,
        quoted(&entry.target),
        outcome.status.as_u16(),
        outcome.bytes,
        quoted(&entry.referer),
        quoted(&entry.user_agent),
    )
}

/// `10/Oct/2000:13:55:36 +0000`, from the fixed columns of an HTTP date (RFC 9110, section 5.6.7).
fn common_log_time(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25])
}

/// Writes lines as they come, several at once where several wait. Ends with the last worker.
fn write_out(lines: &Receiver<String>) {
    let mut stdout = io::stdout().lock();
    while let Ok(line) = lines.recv() {
        let mut text = line;
        text.extend(lines.try_iter().take(QUEUE));
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}
