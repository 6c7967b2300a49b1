//! Pushes to Loki: which names make streams, when equal lines stay two, and what is refused. The receiver is one of the test's,
//! written from Loki's description of its push API, because a real one does not fail at will.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value, json};

use crate::{
    receiver::{Receiver, Reply, Request},
    support::{Pod, Writer, assert_all_there, ledger, line, stop},
};

#[derive(Default)]
struct State {
    /// Labels, time and line; one that is there already is dropped, as Loki does it
    entries: BTreeSet<(String, u64, String)>,
    replies: VecDeque<Reply>,
    /// Entries with this in their line are refused with 400, and all others of the push are taken.
    poison: Option<&'static str>,
}

struct Loki {
    receiver: Receiver,
    state: Arc<Mutex<State>>,
}

impl Loki {
    fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        Self { receiver: Receiver::start(move |request| shared.lock().unwrap().answer(request)), state }
    }

    fn url(&self) -> String {
        format!("loki+http://{}", self.receiver.address())
    }

    fn reply(&self, status: u16, headers: &str, body: &str) {
        self.state.lock().unwrap().replies.push_back(Some((status, headers.to_owned(), body.to_owned())));
    }

    #[track_caller]
    fn wait_for(&self, count: usize) {
        let entries = || (self.state.lock().unwrap().entries.len() >= count).then_some(());
        harness::until(&format!("{count} entries are there"), entries);
    }

    /// By their times
    fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().entries.iter().map(|(_, _, line)| line.clone()).collect()
    }
}

fn push(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn entries(push: &Value) -> &Vec<Value> {
    push["streams"][0]["values"].as_array().unwrap()
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.replies.pop_front() {
            return reply;
        }
        let (push, mut refused) = (push(request), None);
        for entry in entries(&push) {
            let line = entry[1].as_str().unwrap().to_owned();
            if self.poison.is_some_and(|poison| line.contains(poison)) {
                refused = Some((400, String::new(), "max entry size '10' bytes exceeded for stream '{}'\n".to_owned()));
            } else {
                let time = entry[0].as_str().unwrap().parse().unwrap();
                self.entries.insert((push["streams"][0]["stream"].to_string(), time, line));
            }
        }
        refused.or(Some((204, String::new(), String::new())))
    }
}

#[test]
fn equal_lines_stay_two_and_a_push_that_comes_twice_is_there_once() {
    let (pod, loki) = (Pod::new(), Loki::start());
    fs::write(pod.log("app.log"), "the same\n".repeat(10_000)).unwrap();
    // The first one is taken, and its answer is lost.
    let state = loki.state.clone();
    let lost = Receiver::start(move |request| {
        let mut state = state.lock().unwrap();
        let is_first = state.entries.is_empty();
        state.answer(request).filter(|_| !is_first)
    });
    let program = pod.start(&["--output", &format!("loki+http://{}", lost.address())]);
    loki.wait_for(10_000);
    let ended = stop(program);
    let requests = lost.requests();
    assert_eq!((&requests[0].target, &requests[0].body), (&"/loki/api/v1/push".to_owned(), &requests[1].body));
    assert!(requests.iter().all(|request| entries(&push(request)).len() <= 4096));
    assert_eq!((loki.lines().len(), ledger(&ended)["lines"]), (10_000, 10_000));
}

#[test]
fn few_names_make_the_stream_and_all_others_are_metadata() {
    let (pod, loki) = (Pod::new(), Loki::start());
    Writer::new(&pod.log("app.log")).write(10);
    let output = format!("{}#labels=filename&label=env=test", loki.url());
    let program =
        pod.start(&["--output", &output, "--output", &format!("loki+http://{}/tenant?key=1", loki.receiver.address())]);
    loki.wait_for(20);
    stop(program);
    let mut requests = loki.receiver.requests();
    requests.sort_by(|one, other| one.target.cmp(&other.target));
    let [plain, tenant] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((&*plain.target, &*tenant.target), ("/loki/api/v1/push", "/tenant/loki/api/v1/push?key=1"));
    assert_eq!(plain.headers["content-type"], "application/json");
    let path = pod.log("app.log").display().to_string();
    assert_eq!(push(plain)["streams"][0]["stream"], json!({"job": "log-forwarder", "env": "test", "filename": path}));
    let of_tenant = push(tenant);
    assert_eq!(of_tenant["streams"][0]["stream"], json!({"job": "log-forwarder"}));
    let metadata = &entries(&of_tenant)[1][2];
    assert_eq!(
        (&metadata["filename"], &metadata["log_offset"]),
        (&json!(path), &json!((line(0).len() + 1).to_string()))
    );
    assert_eq!(metadata["generation"].as_str().unwrap().len(), 16);
}

#[test]
fn what_is_busy_or_blocked_or_set_wrong_gets_everything_later() {
    let (pod, loki) = (Pod::new(), Loki::start());
    loki.reply(429, "Retry-After: 1\r\n", "ingestion rate limit exceeded");
    loki.reply(500, "Retry-After: 0\r\n", "no ring");
    loki.reply(260, "Retry-After: 0\r\n", "ingestion blocked");
    let disallowed = "stream '{job=\"log-forwarder\"}' includes structured metadata, but this feature is disallowed.";
    loki.reply(400, "Retry-After: 0\r\n", disallowed);
    Writer::new(&pod.log("app.log")).write(100);
    let mut program = pod.start(&["--output", &loki.url()]);
    program.wait_for_reason("429 Too Many Requests: ingestion rate limit exceeded");
    program.wait_for_reason("500 Internal Server Error: no ring");
    program.wait_for_reason("260 <unknown status code>: ingestion blocked");
    program.wait_for_reason(&format!("400 Bad Request: {disallowed}"));
    loki.wait_for(100);
    let ended = stop(program);
    let requests = loki.receiver.requests();
    assert!(requests.len() == 5 && requests.iter().all(|request| request.body == requests[0].body));
    assert_all_there(loki.lines().iter().map(String::as_str), 100);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (100, 0));
}

#[test]
fn a_line_that_is_refused_alone_goes_to_the_dead_letters_and_no_other_is_there_twice() {
    let (pod, loki) = (Pod::new(), Loki::start());
    loki.state.lock().unwrap().poison = Some("line 00000037");
    Writer::new(&pod.log("app.log")).write(100);
    let dead = pod.beside("dead").display().to_string();
    let program = pod.start(&["--output", &loki.url(), "--dead-letter", &dead]);
    loki.wait_for(99);
    let ended = stop(program);
    let letter: Value = serde_json::from_str(fs::read_to_string(&dead).unwrap().trim_end()).unwrap();
    let reason = json!("400 Bad Request: max entry size '10' bytes exceeded for stream '{}'");
    assert_eq!((&letter["message"], &letter["reason"]), (&json!(line(37)), &reason));
    let mut lines = loki.lines();
    assert_eq!(lines.len(), 99);
    lines.insert(37, line(37));
    assert_all_there(lines.iter().map(String::as_str), 100);
    let entries = ledger(&ended);
    assert_eq!((entries["lines"], entries["rejected"]), (99, line(37).len() as u64 + 1));
}

#[test]
fn a_record_with_more_fields_than_loki_takes_keeps_its_text() {
    let (pod, loki) = (Pod::new(), Loki::start());
    let mut wide: Value = (0..200).map(|number| (format!("f{number}"), json!(number))).collect::<Map<_, _>>().into();
    wide["msg"] = json!("wide");
    let long = json!({"msg": "long", "stack": "at x.y.Z\n".repeat(10_000), "level": "error"});
    fs::write(pod.log("app.log"), format!("{wide}\n{long}\n")).unwrap();
    let program = pod.start(&["--output", &loki.url(), "--format", "json"]);
    loki.wait_for(2);
    let ended = stop(program);
    let push = push(&loki.receiver.requests()[0]);
    let [wide, long] = &entries(&push)[..] else { panic!("{push}") };
    assert!(wide[2].as_object().unwrap().len() <= 128);
    assert_eq!((&wide[1], &wide[2]["f0"], &wide[2]["fields_left_out"]), (&json!("wide"), &json!("0"), &json!("78")));
    assert_eq!((&long[2]["level"], &long[2]["stack"]), (&json!("error"), &Value::Null));
    assert_eq!((&long[2]["fields_left_out"], ledger(&ended)["lines"]), (&json!("1"), 2));
}

#[test]
fn a_clock_that_is_wrong_buries_no_line() {
    let (pod, loki) = (Pod::new(), Loki::start());
    let reason = "entry for stream '{}' has timestamp too new: 2099-01-01";
    loki.reply(400, "", reason);
    loki.reply(400, "", reason);
    Writer::new(&pod.log("app.log")).write(1);
    let mut program = pod.start(&["--output", &loki.url()]);
    program.wait_for_reason(&format!("400 Bad Request: {reason}"));
    loki.wait_for(1);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (1, 0));
}
