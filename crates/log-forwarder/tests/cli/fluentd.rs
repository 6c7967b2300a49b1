//! A receiver of the forward protocol, made from its document (Fluentd's "Forward Protocol Specification v1"): no server that is
//! to be had here speaks its HELO, or withholds acknowledgements at will.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use flate2::read::GzDecoder;
use harness::until;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha512};

/// A value of `MessagePack`
#[derive(Clone, Debug, PartialEq, PartialOrd, Eq, Ord)]
pub(crate) enum Value {
    Other,
    Boolean(bool),
    Number(u64),
    Text(String),
    Binary(Vec<u8>),
    Time(u32, u32),
    Array(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// What the receiver does with a message
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Acknowledge,
    /// Keeps its entries and says nothing
    Withhold,
    /// Keeps its entries and closes
    Close,
    /// Acknowledges another chunk
    Mistake,
}

/// Who may send
#[derive(Clone, Copy, Debug)]
pub(crate) struct Security {
    pub(crate) key: &'static str,
    pub(crate) user: Option<(&'static str, &'static str)>,
    pub(crate) keepalive: bool,
}

#[derive(Default)]
struct State {
    connections: usize,
    answers: VecDeque<Answer>,
    /// Tag, record and time of each entry
    entries: Vec<(String, BTreeMap<String, Value>, u32)>,
    chunks: Vec<String>,
}

/// Entries among which one that is waited for is looked for: this is asked often.
const RECENT: usize = 1000;

/// Keeps every entry
pub(crate) struct Fluentd {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Fluentd {
    pub(crate) fn start(security: Option<Security>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, tls) = (shared.clone(), tls.clone());
                state.lock().unwrap().connections += 1;
                thread::spawn(move || {
                    let mut stream: Box<dyn Stream> = match tls {
                        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
                        None => Box::new(stream),
                    };
                    if security.is_none_or(|security| greet(&mut stream, security).is_some()) {
                        while serve(&mut stream, &state).is_some() {}
                    }
                });
            }
        });
        Self { address, state }
    }

    /// What the next messages get; those that follow are acknowledged.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn entries(&self) -> Vec<(String, BTreeMap<String, Value>, u32)> {
        self.state.lock().unwrap().entries.clone()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let text = |record: &BTreeMap<String, Value>| match &record["message"] {
            Value::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        self.entries().iter().map(|(_, record, _)| text(record)).collect()
    }

    pub(crate) fn chunks(&self) -> Vec<String> {
        self.state.lock().unwrap().chunks.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let is_it = |(_, record, _): &(String, BTreeMap<String, Value>, u32)| match &record["message"] {
            Value::Text(message) => message.contains(text),
            _ => false,
        };
        until(&format!("the receiver has {text}"), || {
            self.state.lock().unwrap().entries.iter().rev().take(RECENT).any(is_it).then_some(())
        });
    }
}

/// One message of the mode `PackedForward` or `CompressedPackedForward`; `None` ends the connection.
fn serve(stream: &mut impl Stream, state: &Mutex<State>) -> Option<()> {
    let Value::Array(message) = read(stream)? else { panic!("a message is an array") };
    let [Value::Text(tag), Value::Binary(entries), Value::Map(options)] = &message[..] else { panic!("{message:?}") };
    let entries = match options.get("compressed") {
        Some(Value::Text(kind)) => {
            assert_eq!(kind, "gzip");
            let mut all = Vec::new();
            GzDecoder::new(&entries[..]).read_to_end(&mut all).unwrap();
            all
        }
        _ => entries.clone(),
    };
    let (mut rest, mut found) = (&entries[..], Vec::new());
    while !rest.is_empty() {
        let Some(Value::Array(entry)) = read(&mut rest) else { panic!("an entry is an array") };
        let [Value::Time(seconds, nanoseconds), Value::Map(record)] = &entry[..] else { panic!("{entry:?}") };
        assert!(*nanoseconds < 1_000_000_000);
        found.push((tag.clone(), record.clone(), *seconds));
    }
    assert_eq!(options["size"], Value::Number(found.len() as u64));
    let Value::Text(chunk) = &options["chunk"] else { panic!("{options:?}") };
    let mut state = state.lock().unwrap();
    state.entries.extend(found);
    state.chunks.push(chunk.clone());
    let answer = state.answers.pop_front().unwrap_or(Answer::Acknowledge);
    drop(state);
    match answer {
        Answer::Acknowledge => acknowledge(stream, chunk),
        Answer::Mistake => acknowledge(stream, "another"),
        Answer::Withhold => {}
        Answer::Close => return None,
    }
    Some(())
}

fn acknowledge(stream: &mut impl Stream, chunk: &str) {
    let mut ack = b"\x81\xa3ack".to_vec();
    put(chunk, &mut ack);
    send(stream, &ack);
}

/// HELO, PING and PONG; `None` if the client is not believed.
fn greet(stream: &mut impl Stream, security: Security) -> Option<()> {
    let (nonce, auth) = ([7; 16], if security.user.is_some() { &b"pepper"[..] } else { b"" });
    let mut helo = b"\x92\xa4HELO\x83\xa5nonce\xc4\x10".to_vec();
    helo.extend(nonce);
    helo.extend(b"\xa4auth\xc4");
    helo.push(u8::try_from(auth.len()).unwrap());
    helo.extend(auth);
    helo.extend(b"\xa9keepalive");
    helo.push(if security.keepalive { 0xc3 } else { 0xc2 });
    send(stream, &helo);
    let Value::Array(ping) = read(stream)? else { panic!("PING is an array") };
    let text = |nth: usize| match &ping[nth] {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((ping.len(), text(0).as_str()), (6, "PING"));
    let proof = |host: &str| hash(&[text(2).as_bytes(), host.as_bytes(), &nonce, security.key.as_bytes()]);
    let login =
        security.user.map(|(user, password)| (user.to_owned(), hash(&[auth, user.as_bytes(), password.as_bytes()])));
    let reason = match login {
        _ if text(3) != proof(&text(1)) => "shared_key mismatch",
        Some(login) if login != (text(4), text(5)) => "username/password mismatch",
        _ => "",
    };
    let mut answer = b"\x95\xa4PONG".to_vec();
    answer.push(if reason.is_empty() { 0xc3 } else { 0xc2 });
    for text in [reason, "receiver", &proof("receiver")] {
        put(text, &mut answer);
    }
    send(stream, &answer);
    reason.is_empty().then_some(())
}

fn hash(parts: &[&[u8]]) -> String {
    Sha512::digest(parts.concat()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn put(text: &str, out: &mut Vec<u8>) {
    out.push(0xda);
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
}

fn send(stream: &mut impl Stream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
}

/// The next value; `None` at the end of the connection
fn read(stream: &mut impl Read) -> Option<Value> {
    let head = take(stream, 1)?[0];
    let mut size = |digits: usize| -> Option<usize> {
        Some(take(stream, digits)?.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)))
    };
    let length = match head {
        0x80..=0x9f => usize::from(head & 0x0f),
        0xa0..=0xbf => usize::from(head & 0x1f),
        0xc4 | 0xd9 | 0xcc => size(1)?,
        0xc5 | 0xda | 0xcd | 0xdc | 0xde => size(2)?,
        0xc6 | 0xdb | 0xce | 0xdd | 0xdf => size(4)?,
        0xcf => size(8)?,
        _ => 0,
    };
    Some(match head {
        0..=0x7f => Value::Number(head.into()),
        0xcc..=0xcf => Value::Number(length as u64),
        0xc2 | 0xc3 => Value::Boolean(head == 0xc3),
        0xa0..=0xbf | 0xd9..=0xdb => Value::Text(String::from_utf8(take(stream, length)?).unwrap()),
        0xc4..=0xc6 => Value::Binary(take(stream, length)?),
        0xd7 => {
            let time = take(stream, 9)?;
            let number = |at: usize| u32::from_be_bytes(time[at..at + 4].try_into().unwrap());
            assert_eq!(time[0], 0);
            Value::Time(number(1), number(5))
        }
        0x90..=0x9f | 0xdc | 0xdd => Value::Array((0..length).map(|_| read(stream)).collect::<Option<_>>()?),
        0x80..=0x8f | 0xde | 0xdf => Value::Map((0..length).map(|_| entry(stream)).collect::<Option<_>>()?),
        0xc0 => Value::Other,
        other => panic!("{other:#x}"),
    })
}

fn entry(stream: &mut impl Read) -> Option<(String, Value)> {
    match read(stream)? {
        Value::Text(name) => Some((name, read(stream)?)),
        other => panic!("{other:?} is no name"),
    }
}

fn take(stream: &mut impl Read, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
