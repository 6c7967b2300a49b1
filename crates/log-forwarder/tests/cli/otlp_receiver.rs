//! A receiver of logs as OTLP/HTTP has them, made from its document and from `logs_service.proto`, `logs.proto`, `common.proto` and
//! `resource.proto` of OpenTelemetry: one that rejects in part, and refuses at will.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::{BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use harness::until;
use prost::{Message, Oneof};

use crate::collector::{decode, head};

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";

#[derive(Clone, PartialEq, Message)]
struct ExportLogsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct InstrumentationScope {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "11")]
    observed_time_unix_nano: u64,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(int64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

#[derive(Clone, PartialEq, Message)]
struct ExportLogsServiceResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<ExportLogsPartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct ExportLogsPartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What the receiver does with a request
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Keeps all but this many of its first records, and says why
    Partly(usize, &'static str),
    /// Keeps nothing, and answers with this status, these header lines and a `Status` with these words
    Refuse(u16, &'static str, &'static str),
    /// Keeps all but this many of its first records, and answers 200 with a body of this content type
    Body(usize, &'static str, &'static str),
    /// Keeps all, answers 200, announces a body in binary, and closes
    BreakOff,
}

/// A record that was kept
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) time: u64,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    records: Vec<Record>,
}

/// Records among which one that is waited for is looked for: this is asked often.
const RECENT: usize = 1000;

/// Keeps every record
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mut stream, state) = (BufReader::new(stream), shared.clone());
                thread::spawn(move || while serve(&mut stream, &state).is_some() {});
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self, options: &str) -> String {
        format!("otlp+http://{}#{options}", self.address)
    }

    /// What the next requests get; those that follow are taken.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.state.lock().unwrap().records.clone()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.records().into_iter().map(|record| record.body).collect()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        until(&format!("the receiver has {text}"), || {
            let state = self.state.lock().unwrap();
            state.records.iter().rev().take(RECENT).any(|record| record.body == text).then_some(())
        });
    }
}

/// Serves one request; `None` ends the connection.
fn serve(stream: &mut BufReader<TcpStream>, state: &Mutex<State>) -> Option<()> {
    let mut request = String::new();
    std::io::BufRead::read_line(stream, &mut request).ok()?;
    let headers = head(stream)?;
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let records = records(&path, &headers, body);
    let mut state = state.lock().unwrap();
    let mut response = ExportLogsServiceResponse::default();
    let (status, headers, body) = match state.answers.pop_front() {
        None => {
            state.records.extend(records);
            (200, PROTOBUF, response.encode_to_vec())
        }
        Some(Answer::Partly(rejected, why)) => {
            let rejected_log_records = i64::try_from(rejected.min(records.len())).unwrap();
            state.records.extend(records.into_iter().skip(rejected));
            let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: why.into() };
            response.partial_success = Some(partial);
            (200, PROTOBUF, response.encode_to_vec())
        }
        Some(Answer::Refuse(status, headers, why)) => {
            (status, headers, Status { code: 3, message: why.into() }.encode_to_vec())
        }
        Some(Answer::Body(rejected, content_type, body)) => {
            state.records.extend(records.into_iter().skip(rejected));
            (200, content_type, body.as_bytes().to_vec())
        }
        Some(Answer::BreakOff) => {
            state.records.extend(records);
            let _ = stream
                .get_mut()
                .write_all(b"HTTP/1.1 200 X\r\nContent-Type: application/x-protobuf\r\nContent-Length: 20\r\n\r\n");
            return None;
        }
    };
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = stream.get_mut().write_all(&[answer.as_bytes(), &body].concat());
    Some(())
}

fn records(path: &str, headers: &HashMap<String, String>, body: Vec<u8>) -> Vec<Record> {
    let request = ExportLogsServiceRequest::decode(&decode(headers, body)[..]).unwrap();
    let mut found = Vec::new();
    for logs in request.resource_logs {
        let resource = texts(logs.resource.unwrap_or_default().attributes);
        for scope in logs.scope_logs {
            assert_eq!(scope.scope.unwrap().name, "log-forwarder");
            found.extend(scope.log_records.into_iter().map(|record| {
                assert!(record.observed_time_unix_nano >= record.time_unix_nano);
                Record {
                    path: path.to_owned(),
                    resource: resource.clone(),
                    body: text(record.body),
                    attributes: texts(record.attributes),
                    time: record.time_unix_nano,
                }
            }));
        }
    }
    found
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.unwrap().kind.unwrap() {
        Kind::Text(text) => text,
        Kind::Boolean(value) => value.to_string(),
        Kind::Integer(value) => value.to_string(),
        Kind::Double(value) => value.to_string(),
    }
}
