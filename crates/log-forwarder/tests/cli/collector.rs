//! A small HTTP collector that keeps every line, and answers as it is told.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use harness::until;

use crate::support::messages;

/// What the collector does with a request
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Keeps its lines, and answers with this status
    Keep(u16),
    /// Keeps nothing, and answers with this status and these header lines
    Say(u16, String),
    /// Keeps half of its lines, and closes without an answer
    HalfAndClose,
    /// Answers 200 when half of the body is read, and closes
    EarlyOk,
}

/// One request
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) lines: usize,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    /// Lines with this in them are refused with 400, with the whole body.
    poison: Option<String>,
    messages: Vec<String>,
    seen: Vec<Seen>,
}

/// Keeps every line
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// On a port that was found free before.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || while serve(&stream, &state).is_some() {});
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/lines", self.address)
    }

    /// What the next requests get; those that follow get 200.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn refuse_lines_with(&self, text: &str) {
        self.state.lock().unwrap().poison = Some(text.to_owned());
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.state.lock().unwrap().messages.clone()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        until(&format!("the collector has {text}"), || {
            self.state.lock().unwrap().messages.iter().any(|message| message.contains(text)).then_some(())
        });
    }

    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        until(&format!("{count} requests are there"), || (self.seen().len() >= count).then_some(()));
    }
}

/// Serves one request; `None` ends the connection.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("idempotency-key", value)) => value.clone_into(&mut key),
            _ if line == "\r\n" => break,
            _ => {}
        }
    }
    let early = matches!(state.lock().unwrap().answers.front(), Some(Answer::EarlyOk));
    let mut body = vec![0; if early { length / 2 } else { length }];
    reader.read_exact(&mut body).ok()?;
    if early {
        state.lock().unwrap().answers.pop_front();
        reply(stream, 200, "Connection: close\r\n");
        return None;
    }
    let lines = messages(&String::from_utf8(body).unwrap());
    let mut state = state.lock().unwrap();
    state.seen.push(Seen { key, lines: lines.len() });
    let is_poisoned = state.poison.as_ref().is_some_and(|poison| lines.iter().any(|line| line.contains(poison)));
    let answer = state.answers.pop_front().unwrap_or(Answer::Keep(200));
    match answer {
        _ if is_poisoned => reply(stream, 400, "X-Why: poison\r\n"),
        Answer::Keep(status) => {
            state.messages.extend(lines);
            reply(stream, status, "");
        }
        Answer::Say(status, headers) => reply(stream, status, &headers),
        Answer::HalfAndClose | Answer::EarlyOk => {
            let half = lines.len() / 2;
            state.messages.extend(lines.into_iter().take(half));
            return None;
        }
    }
    Some(())
}

fn reply(mut stream: &TcpStream, status: u16, headers: &str) {
    let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 4\r\n{headers}\r\nwhy\n");
}
