//! Bulk requests: each document has a name and a fate of its own. The index is one of the test's, written from the
//! bulk API's reference, because no real one answers with these faults at will.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, Reply, Request},
    support::{Pod, Writer, assert_all_there, http, ledger, line, stop},
};

/// A status, a type and a reason
type Fault = (u16, &'static str, &'static str);

const BUSY: Fault = (429, "es_rejected_execution_exception", "rejected execution");
const MAPPING: Fault = (400, "document_parsing_exception", "failed to parse field [x] of type [long]");
const READ_ONLY: Fault = (403, "cluster_block_exception", "index [logs] blocked by: [FORBIDDEN/8/index write (api)];");

#[derive(Default)]
struct State {
    documents: BTreeMap<String, Value>,
    /// Whole replies that come first
    replies: VecDeque<Reply>,
    /// What becomes of documents with this message, one each time, the last one for good
    faults: BTreeMap<String, Vec<Fault>>,
}

/// An index that keeps each document under its name
struct Index {
    receiver: Receiver,
    state: Arc<Mutex<State>>,
}

impl Index {
    fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        Self { receiver: Receiver::start(move |request| shared.lock().unwrap().answer(request)), state }
    }

    fn url(&self) -> String {
        format!("elasticsearch+http://{}/logs", self.receiver.address())
    }

    fn reply(&self, status: u16, headers: &str, body: &str) {
        self.state.lock().unwrap().replies.push_back(Some((status, headers.to_owned(), body.to_owned())));
    }

    fn fault(&self, message: &str, faults: &[Fault]) {
        self.state.lock().unwrap().faults.insert(message.to_owned(), faults.to_vec());
    }

    #[track_caller]
    fn wait_for(&self, count: usize) {
        let documents = || (self.state.lock().unwrap().documents.len() >= count).then_some(());
        harness::until(&format!("{count} documents are there"), documents);
    }

    /// In the order of the file
    fn messages(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut documents: Vec<_> = state.documents.values().collect();
        documents.sort_by_key(|document| document["log.offset"].as_u64());
        documents.iter().map(|document| document["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.replies.pop_front() {
            return reply;
        }
        let lines: Vec<Value> = request
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let items: Vec<_> = lines.chunks(2).map(|pair| self.create(&pair[0]["create"]["_id"], &pair[1])).collect();
        let errors = items.iter().any(|item| item["create"]["error"].is_object());
        Some((200, String::new(), json!({"errors": errors, "items": items}).to_string()))
    }

    fn create(&mut self, id: &Value, document: &Value) -> Value {
        let id = id.as_str().unwrap().to_owned();
        let faults = self.faults.get_mut(document["message"].as_str().unwrap());
        let fault =
            faults.and_then(|faults| if faults.len() > 1 { Some(faults.remove(0)) } else { faults.last().copied() });
        let fault = fault.filter(|(status, ..)| *status > 0);
        let exists =
            || self.documents.contains_key(&id).then_some((409, "version_conflict_engine_exception", "exists"));
        if let Some((status, kind, reason)) = fault.or_else(exists) {
            return json!({"create": {"status": status, "error": {"type": kind, "reason": reason}}});
        }
        self.documents.insert(id, document.clone());
        json!({"create": {"status": 201}})
    }
}

const FINE: Fault = (0, "", "");

fn count(request: &Request) -> usize {
    request.body.split(|byte| *byte == b'\n').count() / 2
}

#[test]
fn documents_have_the_time_and_the_place_of_their_line() {
    let (pod, index) = (Pod::new(), Index::start());
    Writer::new(&pod.log("app.log")).write(3000);
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(3000);
    let ended = stop(program);
    assert_all_there(index.messages().iter().map(String::as_str), 3000);
    assert_eq!(ledger(&ended)["lines"], 3000);
    let state = index.state.lock().unwrap();
    let (id, document) = state.documents.first_key_value().unwrap();
    let (generation, offset) = id.split_once('-').unwrap();
    assert_eq!(
        (&document["log.generation"], &document["log.offset"]),
        (&json!(generation), &json!(offset.parse::<u64>().unwrap()))
    );
    assert_eq!(document["log.file.path"], pod.log("app.log").display().to_string());
    assert!(document["@timestamp"].as_str().unwrap().starts_with("20"), "{document}");
    let request = &index.receiver.requests()[0];
    assert!(request.target.starts_with("/logs/_bulk?filter_path="), "{}", request.target);
    assert_eq!(request.headers["content-type"], "application/x-ndjson");
}

#[test]
fn each_document_has_a_fate_of_its_own() {
    let (pod, index) = (Pod::new(), Index::start());
    index.fault(&line(3), &[MAPPING]);
    index.fault(&line(5), &[BUSY, BUSY, FINE]);
    index.fault(&line(7), &[BUSY, (503, "unavailable_shards_exception", "not active"), MAPPING]);
    index.fault(&line(9), &[READ_ONLY, FINE]);
    Writer::new(&pod.log("app.log")).write(100);
    let dead = pod.beside("dead").display().to_string();
    let mut program = pod.start(&["--output", &index.url(), "--dead-letter", &dead]);
    program.wait_for_reason("429 es_rejected_execution_exception: rejected execution");
    index.wait_for(98);
    let ended = stop(program);
    let counts: Vec<_> = index.receiver.requests().iter().map(count).collect();
    assert_eq!(counts, [100, 3, 2]);
    let letters = fs::read_to_string(&dead).unwrap();
    let letters: Vec<Value> = letters.lines().map(|letter| serde_json::from_str(letter).unwrap()).collect();
    let of = |letter: &Value| (letter["message"].clone(), letter["reason"].clone());
    let reason = json!("400 document_parsing_exception: failed to parse field [x] of type [long]");
    let expected = [(json!(line(3)), reason.clone()), (json!(line(7)), reason)];
    assert_eq!(letters.iter().map(of).collect::<Vec<_>>(), expected);
    let mut messages = index.messages();
    messages.insert(3, line(3));
    messages.insert(7, line(7));
    assert_all_there(messages.iter().map(String::as_str), 100);
    let entries = ledger(&ended);
    assert_eq!((entries["lines"], entries["lost"]), (98, 0));
    assert_eq!(entries["rejected"], (line(3).len() + line(7).len() + 2) as u64);
}

#[test]
fn what_is_there_already_is_delivered() {
    let (pod, index) = (Pod::new(), Index::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(50);
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(50);
    stop(program);
    fs::remove_dir_all(pod.beside("state")).unwrap();
    writer.write(10);
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(60);
    let ended = stop(program);
    assert_all_there(index.messages().iter().map(String::as_str), 60);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (60, 0));
}

#[test]
fn a_reply_to_the_whole_is_for_all_documents() {
    let (pod, index) = (Pod::new(), Index::start());
    // Those that ask for no pause come last: the pauses of our own grow.
    index.reply(200, "", "<html>a proxy</html>");
    index.reply(200, "", r#"{"errors":false,"items":[{"create":{"status":201}}]}"#);
    index.state.lock().unwrap().replies.push_back(None);
    let at_once = "Retry-After: 0\r\n";
    index.reply(429, at_once, "busy");
    index.reply(401, at_once, "no login");
    index.reply(404, at_once, "no such place");
    index.reply(413, "", "too large");
    index.reply(200, "", &" ".repeat(9 << 20));
    Writer::new(&pod.log("app.log")).write(100);
    let mut program = pod.start(&["--output", &index.url()]);
    program.wait_for_reason("the reply is none to a bulk request: expected value at line 1 column 1");
    program.wait_for_reason("the reply has 1 answers to 100 documents");
    program.wait_for_reason("closed without an answer");
    program.wait_for_reason("429 Too Many Requests: busy");
    program.wait_for_reason("401 Unauthorized: no login");
    program.wait_for_reason("404 Not Found: no such place");
    index.wait_for(100);
    let ended = stop(program);
    let counts: Vec<_> = index.receiver.requests().iter().map(count).collect();
    assert_eq!(counts, [100, 100, 100, 100, 100, 100, 100, 50, 25, 25, 50]);
    assert_all_there(index.messages().iter().map(String::as_str), 100);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (100, 0));
}

#[test]
fn empty_lines_make_no_huge_request() {
    let (pod, index) = (Pod::new(), Index::start());
    fs::write(pod.log("app.log"), "\n".repeat(20_000)).unwrap();
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(20_000);
    let ended = stop(program);
    assert!(index.receiver.requests().iter().all(|request| count(request) <= 4096));
    assert_eq!(ledger(&ended)["lines"], 20_000);
}

#[test]
fn a_key_from_a_file_is_sent_and_never_told() {
    let (pod, index) = (Pod::new(), Index::start());
    fs::write(pod.beside("key"), "ApiKey s3cr3t-key\n").unwrap();
    index.reply(401, "", "unknown key");
    index.fault(&line(1), &[MAPPING]);
    Writer::new(&pod.log("app.log")).write(10);
    let dead = pod.beside("dead").display().to_string();
    let output = format!("{}#header-file=Authorization:{}", index.url(), pod.beside("key").display());
    let mut program = pod.start(&["--output", &output, "--dead-letter", &dead]);
    let address = program.address("health");
    program.wait_for_reason("401 Unauthorized: unknown key");
    index.wait_for(9);
    let metrics = http::get(address, "/metrics").body;
    let ended = stop(program);
    assert!(index.receiver.requests().iter().all(|request| request.headers["authorization"] == "ApiKey s3cr3t-key"));
    for text in [metrics, format!("{ended:?}"), fs::read_to_string(&dead).unwrap()] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn a_reply_in_chunks_is_read_to_its_end() {
    let (pod, index) = (Pod::new(), Index::start());
    index.reply(200, "Transfer-Encoding: chunked\r\n", r#"{"errors":false,"items":[{"create":{"status":201}}]}"#);
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(1);
    let program = pod.start(&["--output", &index.url()]);
    harness::until("the line is delivered", || (!index.receiver.requests().is_empty()).then_some(()));
    writer.write(1);
    index.wait_for(1);
    let ended = stop(program);
    assert_eq!(index.receiver.requests().iter().map(count).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(ledger(&ended)["lines"], 2);
}

#[test]
fn what_was_written_after_a_truncation_is_new_though_the_checkpoint_is_lost() {
    let (pod, index) = (Pod::new(), Index::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(50);
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(50);
    stop(program);
    fs::remove_dir_all(pod.beside("state")).unwrap();
    writer.truncate();
    writer.write(50);
    let program = pod.start(&["--output", &index.url()]);
    index.wait_for(100);
    assert_eq!(ledger(&stop(program))["lines"], 50);
}

#[test]
fn names_that_the_server_refuses_are_changed_and_their_values_stay() {
    let (pod, index) = (Pod::new(), Index::start());
    let line = r#"{"msg":"odd","":1,"a..b":2,"o":{"x":1,"x":2," ":3,".":[{"y.":4}]}}"#;
    fs::write(pod.log("app.log"), line.to_owned() + "\n").unwrap();
    let program = pod.start(&["--output", &index.url(), "--format", "json"]);
    index.wait_for(1);
    stop(program);
    let state = index.state.lock().unwrap();
    let expected = json!({"_": 1, "a__b": 2, "o": {"x": 2, "_": 3, "__2": [{"y_": 4}]}});
    assert_eq!(state.documents.values().next().unwrap()["fields"], expected);
    // The test's own reader would hide a name that comes twice.
    let body = String::from_utf8(index.receiver.requests()[0].body.clone()).unwrap();
    assert_eq!(body.matches(r#""x":"#).count(), 1, "{body}");
}
