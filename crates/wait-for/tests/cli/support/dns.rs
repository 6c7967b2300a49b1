//! A small DNS server on 127.0.0.1:53 of a namespace: a script answers, and every question is
//! remembered.

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

const ADDRESS: &str = "127.0.0.1:53";
/// Types of records (RFC 1035, section 3.2.2; RFC 3596; RFC 2782)
const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
/// Response, recursion desired and available
const ANSWER: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;
const SERVER_FAILURE: u16 = 2;
const NAME_ERROR: u16 = 3;

/// A question
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// By TCP, not by UDP
    pub(crate) tcp: bool,
}

/// What kind of record is asked for
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    A,
    Aaaa,
    Srv,
    Other,
}

/// The answer of the script
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Those of the asked kind are given
    Addresses(Vec<IpAddr>),
    /// This many SRV records
    Services(u16),
    /// NXDOMAIN
    UnknownName,
    /// SERVFAIL
    ServerFailure,
    /// "Ask again by TCP"
    Truncated,
    /// Nothing at all
    Silence,
    /// Bytes that are no answer
    Garbage,
}

/// Which questions have come
#[derive(Clone, Default)]
pub(crate) struct Questions(Arc<Mutex<Vec<Question>>>);

/// Starts the server; it lives as long as the test's process.
pub(crate) fn serve(script: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Questions {
    let (udp, tcp) = (UdpSocket::bind(ADDRESS).unwrap(), TcpListener::bind(ADDRESS).unwrap());
    let questions = Questions::default();
    let script = Arc::new(script);
    let (for_udp, udp_script) = (questions.clone(), script.clone());
    thread::spawn(move || {
        let mut query = [0; 1500];
        loop {
            let (length, client) = udp.recv_from(&mut query).unwrap();
            if let Some(answer) = for_udp.answer(&query[..length], false, &*udp_script) {
                let _ = udp.send_to(&answer, client);
            }
        }
    });
    let for_tcp = questions.clone();
    thread::spawn(move || tcp.incoming().for_each(|stream| for_tcp.serve_tcp(stream.unwrap(), &*script)));
    questions
}

/// `10.0.0.1` and the like.
pub(crate) fn addresses(texts: &[&str]) -> Answer {
    Answer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

impl Questions {
    /// How many there were for this name and kind
    pub(crate) fn count(&self, name: &str, kind: Kind) -> usize {
        self.all().iter().filter(|question| question.name == name && question.kind == kind).count()
    }

    pub(crate) fn all(&self) -> Vec<Question> {
        self.0.lock().unwrap().clone()
    }

    fn serve_tcp(&self, mut stream: TcpStream, script: &impl Fn(&Question) -> Answer) {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut query = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut query).unwrap();
        if let Some(answer) = self.answer(&query, true, script) {
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            let _ = stream.write_all(&[&length, &answer[..]].concat());
        }
    }

    /// The whole answer to a query; `None` for silence.
    fn answer(&self, query: &[u8], tcp: bool, script: &impl Fn(&Question) -> Answer) -> Option<Vec<u8>> {
        let (question, end) = read(query, tcp);
        self.0.lock().unwrap().push(question.clone());
        let (flags, records) = match script(&question) {
            Answer::Silence => return None,
            Answer::Garbage => return Some(b"no answer".to_vec()),
            Answer::UnknownName => (ANSWER | NAME_ERROR, Vec::new()),
            Answer::ServerFailure => (ANSWER | SERVER_FAILURE, Vec::new()),
            Answer::Truncated => (ANSWER | TRUNCATED, Vec::new()),
            Answer::Addresses(all) => (ANSWER, all.into_iter().filter_map(|ip| address(question.kind, ip)).collect()),
            Answer::Services(count) => (ANSWER, (0..count).map(service).collect()),
        };
        let mut answer = query[..2].to_vec();
        for word in [flags, 1, u16::try_from(records.len()).unwrap(), 0, 0] {
            answer.extend(word.to_be_bytes());
        }
        answer.extend(&query[12..end]);
        answer.extend(records.concat());
        Some(answer)
    }
}

/// The question, and where it ends in the query.
fn read(query: &[u8], tcp: bool) -> (Question, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    let kind = match u16::from_be_bytes([query[at + 1], query[at + 2]]) {
        A => Kind::A,
        AAAA => Kind::Aaaa,
        SRV => Kind::Srv,
        _ => Kind::Other,
    };
    (Question { name: labels.join("."), kind, tcp }, at + 5)
}

fn address(kind: Kind, ip: IpAddr) -> Option<Vec<u8>> {
    match (kind, ip) {
        (Kind::A, IpAddr::V4(ip)) => Some(record(A, &ip.octets())),
        (Kind::Aaaa, IpAddr::V6(ip)) => Some(record(AAAA, &ip.octets())),
        _ => None,
    }
}

/// Priority, weight, port, and the question's name as the target
fn service(nth: u16) -> Vec<u8> {
    let [high, low] = nth.to_be_bytes();
    record(SRV, &[high, low, 0, 0, 0, 80, 0xc0, 12])
}

/// A record of the question's name, for no time to be cached
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = kind.to_be_bytes();
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[0xc0, 12, high, low, 0, 1, 0, 0, 0, 0], &length[..], data].concat()
}
