//! A small HTTP collector that keeps every line, and answers as a test says.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use flate2::read::GzDecoder;
use harness::until;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

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
    /// Names in lower case
    pub(crate) headers: HashMap<String, String>,
}

#[derive(Default)]
struct State {
    connections: usize,
    answers: VecDeque<Answer>,
    /// All that comes with another `Authorization` is answered with 401.
    login: Option<String>,
    /// Lines with this in them are refused with 400, with the whole body.
    poison: Option<String>,
    messages: Vec<String>,
    seen: Vec<Seen>,
}

/// A connection, plain or TLS
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

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
        Self::with(listener, |stream| Box::new(stream))
    }

    pub(crate) fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::with(TcpListener::bind("127.0.0.1:0").unwrap(), move |stream| {
            Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream))
        })
    }

    fn with(listener: TcpListener, open: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static) -> Self {
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.lock().unwrap().connections += 1;
                let (mut stream, state) = (BufReader::new(open(stream)), shared.clone());
                thread::spawn(move || while serve(&mut stream, &state).is_some() {});
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/lines", self.address)
    }

    /// Of a collector that speaks TLS, with these options
    pub(crate) fn url_tls(&self, options: &str) -> String {
        format!("https://localhost:{}/lines#{options}", self.address.port())
    }

    pub(crate) fn accept_login(&self, authorization: &str) {
        self.state.lock().unwrap().login = Some(authorization.to_owned());
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

    /// How many there have been
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
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
fn serve(stream: &mut BufReader<Box<dyn Stream>>, state: &Mutex<State>) -> Option<()> {
    let headers = head(stream)?;
    let length: usize = headers["content-length"].parse().unwrap();
    let early = matches!(state.lock().unwrap().answers.front(), Some(Answer::EarlyOk));
    let mut body = vec![0; if early { length / 2 } else { length }];
    stream.read_exact(&mut body).ok()?;
    let mut state = state.lock().unwrap();
    if early {
        state.answers.pop_front();
        reply(stream, 200, "Connection: close\r\n");
        return None;
    }
    if state.login.as_ref().is_some_and(|login| headers.get("authorization") != Some(login)) {
        reply(stream, 401, "");
        return Some(());
    }
    let lines = messages(&String::from_utf8(decode(&headers, body)).unwrap());
    let key = headers.get("idempotency-key").cloned().unwrap_or_default();
    state.seen.push(Seen { key, lines: lines.len(), headers });
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

/// The headers of a request, names in lower case; `None` when there is no request any more.
pub(crate) fn head(stream: &mut impl BufRead) -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
            None if line == "\r\n" => return Some(headers),
            None => {}
        }
    }
}

/// A body without its `Content-Encoding`
pub(crate) fn decode(headers: &HashMap<String, String>, body: Vec<u8>) -> Vec<u8> {
    let mut decoded = Vec::new();
    match headers.get("content-encoding").map(String::as_str) {
        None => return body,
        Some("gzip") => drop(GzDecoder::new(&body[..]).read_to_end(&mut decoded).unwrap()),
        Some("zstd") => decoded = zstd::decode_all(&body[..]).unwrap(),
        Some(other) => panic!("{other}"),
    }
    decoded
}

fn reply(stream: &mut BufReader<Box<dyn Stream>>, status: u16, headers: &str) {
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 4\r\n{headers}\r\nwhy\n");
    let _ = stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush());
}
