//! Options that end what goes on without end by default: statuses that are final, a limit of attempts, the age of a connection.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
};

use harness::Signal;
use serde_json::Value;

use crate::{
    collector::Collector,
    receiver::Receiver,
    support::{Pod, Writer, accept, assert_all_there, ledger, line, stop, until},
};

fn ok() -> (u16, String, String) {
    (200, String::new(), String::new())
}

/// Messages and reasons
fn letters(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let letters = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    letters.map(|letter| (text(&letter["message"]), text(&letter["reason"]))).collect()
}

#[test]
fn a_final_status_refuses_one_line_and_no_other() {
    let (pod, poison) = (Pod::new(), line(37));
    let poisoned = serde_json::json!(poison).to_string();
    let collector = Receiver::start(move |request| {
        let is_poisoned = String::from_utf8_lossy(&request.body).contains(&poisoned);
        if is_poisoned { Some((422, String::new(), "no such field".into())) } else { Some(ok()) }
    });
    Writer::new(&pod.log("app.log")).write(100);
    let (dead, output) = (pod.beside("dead"), format!("http://{}/#final-status=413,422", collector.address()));
    let program = pod.start(&["--output", &output, "--dead-letter", &dead.display().to_string()]);
    until("the line is refused", || (letters(&dead).len() == 1).then_some(()));
    let ended = stop(program);
    assert_eq!(letters(&dead), [(poison, "422 Unprocessable Entity: no such field".into())]);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (99, line(37).len() as u64 + 1));
}

#[test]
fn dead_letters_without_a_directory_are_a_warning_at_the_start() {
    let pod = Pod::new();
    let letters = pod.beside("none/dead");
    let mut program = pod.start(&["--output", &pod.file_output(), "--dead-letter", &letters.display().to_string()]);
    let warning =
        "the directory of --dead-letter is not there: a line that is refused for good holds up its output until it is";
    assert_eq!(program.wait_for_message(warning)["directory"], pod.beside("none").display().to_string());
    stop(program);
}

#[test]
fn without_dead_letters_the_log_names_each_line() {
    let json = |number: u64| serde_json::json!(line(number)).to_string();
    let (pod, poison, last) = (Pod::new(), [3, 4, 37].map(json), json(99));
    let collector = Receiver::start(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let is_poisoned = poison.iter().any(|poison| body.contains(poison));
        if is_poisoned { Some((400, String::new(), "no such field".into())) } else { Some(ok()) }
    });
    let log = pod.log("app.log");
    Writer::new(&log).write(100);
    let program = pod.start(&["--output", &format!("http://{}/", collector.address())]);
    until("all else is delivered", || {
        let requests = collector.requests();
        requests.last().is_some_and(|request| String::from_utf8_lossy(&request.body).contains(&last)).then_some(())
    });
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lines"], 97);
    let notices = ended.messages("lines are refused for good");
    let named: Vec<_> = notices.iter().map(|notice| (&notice["offsets"], &notice["lines"])).collect();
    let start = |number: u64| (0..number).map(|before| line(before).len() + 1).sum::<usize>();
    let place = |number: u64| format!("{}-{}", start(number), start(number + 1));
    let expected = [place(3), place(4), place(37)];
    assert_eq!(named.iter().map(|(offsets, _)| offsets.as_str().unwrap()).collect::<Vec<_>>(), expected);
    assert!(named.iter().all(|(_, lines)| **lines == 1) && notices[0]["file"] == log.display().to_string());
}

#[test]
fn a_batch_goes_to_the_dead_letters_after_its_last_attempt_and_the_next_one_is_delivered() {
    let (pod, mut requests) = (Pod::new(), 0);
    let collector = Receiver::start(move |_| {
        requests += 1;
        if requests <= 3 { Some((503, String::new(), "overloaded".into())) } else { Some(ok()) }
    });
    let mut writer = Writer::new(&pod.log("app.log"));
    // More than become dead letters at once
    writer.write(600);
    let (dead, output) = (pod.beside("dead"), format!("http://{}/#retry-limit=2", collector.address()));
    let mut program = pod.start(&["--output", &output, "--dead-letter", &dead.display().to_string()]);
    let told = program.wait_for_message("cannot deliver; the batch is sent again up to its limit");
    assert_eq!(told["reason"], "503 Service Unavailable: overloaded");
    until("the batch is given up", || (letters(&dead).len() == 600).then_some(()));
    writer.write(10);
    until("the next one is delivered", || (collector.requests().len() == 4).then_some(()));
    let ended = stop(program);
    let letters = letters(&dead);
    assert_all_there(letters.iter().map(|(message, _)| message.as_str()), 600);
    let reason = "given up after 3 attempts: 503 Service Unavailable: overloaded";
    assert!(letters.iter().all(|(_, told)| told == reason), "{letters:?}");
    assert_eq!(ledger(&ended)["lines"], 10);
    let bytes = (0..600).map(|number| line(number).len() as u64 + 1).sum::<u64>();
    assert_eq!(ledger(&ended)["rejected"], bytes);
}

#[test]
fn attempts_after_a_stop_give_nothing_up() {
    let pod = Pod::new();
    let collector = Receiver::start(|_| Some((503, String::new(), "overloaded".into())));
    Writer::new(&pod.log("app.log")).write(10);
    let (dead, output) = (pod.beside("dead"), format!("http://{}/#retry-limit=5", collector.address()));
    let program = pod.start(&["--output", &output, "--dead-letter", &dead.display().to_string()]);
    until("the first attempt fails", || (!collector.requests().is_empty()).then_some(()));
    program.signal(Signal::TERM);
    until("there are more attempts than the limit has", || (collector.requests().len() >= 8).then_some(()));
    program.signal(Signal::KILL);
    let ended = program.end();
    assert!(!dead.exists() && ended.messages("lines are refused for good").is_empty());
}

#[test]
fn a_batch_goes_to_the_dead_letters_at_its_age() {
    let pod = Pod::new();
    let away = crate::rotation::free_address();
    Writer::new(&pod.log("app.log")).write(10);
    let (dead, output) = (pod.beside("dead"), format!("tcp://{away}#retry-age=1s"));
    let program = pod.start(&["--output", &output, "--dead-letter", &dead.display().to_string()]);
    until("the batch is given up", || (letters(&dead).len() == 10).then_some(()));
    stop(program);
    let letters = letters(&dead);
    assert_all_there(letters.iter().map(|(message, _)| message.as_str()), 10);
    assert!(letters[0].1.starts_with("given up after ") && letters[0].1.ends_with("connection refused"), "{letters:?}");
}

#[test]
fn a_connection_over_http_is_used_no_longer_than_its_age() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &(collector.url() + "#max-connection-age=1s")]);
    until("there is another connection", || {
        writer.write(1);
        (collector.connections() >= 3).then_some(())
    });
    stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), writer.written());
    // The others were kept for more than one request.
    assert!(collector.seen().len() > collector.connections());
}

#[test]
fn a_connection_without_acknowledgements_ends_behind_a_whole_line() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(1);
    let output = format!("tcp://{}#max-connection-age=1s", listener.local_addr().unwrap());
    let program = pod.start(&["--output", &output]);
    let first = accept(&listener);
    listener.set_nonblocking(true).unwrap();
    let second = until("there is another connection", || {
        writer.write(1);
        listener.accept().ok()
    });
    second.0.set_nonblocking(false).unwrap();
    let lines = |stream| BufReader::new(stream).lines().map(Result::unwrap).collect::<Vec<_>>();
    let mut all = lines(first);
    stop(program);
    all.extend(lines(second.0));
    assert_all_there(all.iter().map(String::as_str), writer.written());
}
