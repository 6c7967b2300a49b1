//! `otlp+http://`: what a collector takes in part, refuses, or wants later.

use std::fs;

use crate::{
    otlp_receiver::{Answer, Receiver},
    support::{Pod, Writer, assert_all_there, ledger, line, start, stop},
};

#[test]
fn records_arrive_with_what_is_known_of_them() {
    let (pod, receiver) = (Pod::new(), Receiver::start());
    Writer::new(&pod.log("app.log")).write(20_000);
    let mut command = pod.command(&["--output", &receiver.url("gzip"), "--field", "service.name=shop"]);
    let program = start(command.envs([("POD_NAMESPACE", "shop"), ("POD_NAME", "web-0")]));
    receiver.wait_for(&line(19_999));
    let ended = stop(program);
    assert_all_there(receiver.bodies().iter().map(String::as_str), 20_000);
    assert_eq!((ledger(&ended)["lines"], receiver.records().len()), (20_000, 20_000));
    let record = &receiver.records()[1];
    assert_eq!(record.path, "/v1/logs");
    let resource = |name: &str| record.resource.get(name).map(String::as_str);
    assert_eq!((resource("k8s.pod.name"), resource("service.name")), (Some("web-0"), Some("shop")));
    assert_eq!(record.attributes["log.file.path"], pod.log("app.log").display().to_string());
    assert_eq!(record.attributes["log.file.name"], "app.log");
    assert!(record.attributes["log.record.uid"].ends_with(&format!("-{}", line(0).len() + 1)));
    assert!(record.time > 1_700_000_000_000_000_000);
}

#[test]
fn what_is_rejected_in_part_is_counted() {
    let (pod, receiver) = (Pod::new(), Receiver::start());
    receiver.answer([Answer::Partly(0, "mind the gap"), Answer::Partly(3, "too old")]);
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let mut program = pod.start(&["--output", &receiver.url("")]);
    receiver.wait_for(&line(9));
    pod.wait_for_checkpoint();
    writer.write(10);
    let told = program.wait_for_reason("too old");
    assert_eq!((&told["refused"], &told["of"]), (&3.into(), &10.into()));
    receiver.wait_for(&line(19));
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], receiver.records().len()), (17, 17));
    let bytes = (10..20).map(|number| line(number).len() as u64 + 1).sum::<u64>();
    assert_eq!(ledger(&ended)["rejected"], bytes * 3 / 10);
}

#[test]
fn what_can_pass_goes_again_and_what_is_refused_is_halved() {
    let (pod, receiver) = (Pod::new(), Receiver::start());
    receiver.answer([
        Answer::Refuse(429, "Retry-After: 1\r\n", "slow down"),
        Answer::Refuse(503, "", "overloaded"),
        Answer::Refuse(401, "", "who are you"),
        Answer::Refuse(413, "", "too much"),
    ]);
    Writer::new(&pod.log("app.log")).write(10);
    let mut program = pod.start(&["--output", &receiver.url("")]);
    program.wait_for_reason("429 Too Many Requests: slow down");
    program.wait_for_reason("503 Service Unavailable: overloaded");
    program.wait_for_reason("401 Unauthorized: who are you");
    program.wait_for_message("delivers again");
    let ended = stop(program);
    assert_all_there(receiver.bodies().iter().map(String::as_str), 10);
    assert_eq!((ledger(&ended)["lines"], receiver.records().len()), (10, 10));
}

#[test]
fn a_2xx_is_delivered_whatever_its_body_says_and_json_may_reject() {
    const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
    const PAGE: &str = "Content-Type: text/html\r\n";
    let (pod, receiver) = (Pod::new(), Receiver::start());
    // More than is read of an answer
    let long = Box::leak("<p>".repeat(100_000).into_boxed_str());
    let refusal = r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#;
    receiver.answer([
        Answer::Body(0, JSON, r#"{"partialSuccess":{}}"#),
        Answer::Body(0, "Content-Type: text/plain\r\n", "OK"),
        Answer::Body(0, PAGE, "<!doctype html>"),
        Answer::Body(0, PAGE, long),
        // A text that is also a message of Protocol Buffers which rejects a record
        Answer::Body(0, PAGE, "\n\u{2}\u{8}\u{1}"),
        Answer::Body(3, JSON, refusal),
    ]);
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &receiver.url("")]);
    for round in 0..6 {
        writer.write(10);
        receiver.wait_for(&line(round * 10 + 9));
    }
    let ended = stop(program);
    // Nothing came twice, and only the answer that says so rejected anything.
    assert_eq!((ledger(&ended)["lines"], receiver.records().len()), (57, 57));
    let message =
        "the answer is 2xx, but its body is no ExportLogsServiceResponse; does the URL lead to an OTLP receiver?";
    assert_eq!(ended.messages(message).len(), 1);
}

#[test]
fn a_2xx_is_delivered_also_when_its_body_breaks_off() {
    let (pod, receiver) = (Pod::new(), Receiver::start());
    receiver.answer([Answer::BreakOff, Answer::BreakOff]);
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &receiver.url("")]);
    for round in 0..2 {
        writer.write(10);
        receiver.wait_for(&line(round * 10 + 9));
    }
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], receiver.records().len()), (20, 20));
    let message =
        "the answer is 2xx, but its body breaks off, or does not end in time; does the URL lead to an OTLP receiver?";
    assert_eq!(ended.messages(message).len(), 1);
}

#[test]
fn a_record_that_is_refused_alone_goes_to_the_dead_letters() {
    let (pod, receiver) = (Pod::new(), Receiver::start());
    let no = Answer::Refuse(400, "", "no such field");
    // All, the first half, and the first record of that
    receiver.answer([no.clone(), no.clone(), no]);
    Writer::new(&pod.log("app.log")).write(4);
    let (dead, token) = (pod.beside("dead"), pod.beside("token"));
    fs::write(&token, "hunter2").unwrap();
    let output = receiver.url(&format!("token-file={}", token.display()));
    let program = pod.start(&["--output", &output, "--dead-letter", &dead.display().to_string()]);
    receiver.wait_for(&line(3));
    let ended = stop(program);
    let letter = fs::read_to_string(&dead).unwrap();
    assert!(letter.contains("line 00000000") && letter.contains("400 Bad Request: no such field"), "{letter}");
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (3, line(0).len() as u64 + 1));
    assert!(!ended.everything().contains("hunter2") && !letter.contains("hunter2"));
}
