//! Lines of several files in one request: until `--linger` has passed, `--max-batch` is reached, or a stop.

use std::fs;

use serde_json::Value;

use crate::{
    collector::Collector,
    fluentd::Fluentd,
    otlp_receiver::Receiver as OtlpReceiver,
    receiver::Receiver,
    support::{Pod, Program, Signal, Writer, assert_adds_up, ledger, line, start, stop},
};

const FILES: u64 = 5;
const LINES: u64 = 10;

/// A pod with some files, each with some lines; the lines have different numbers.
fn pod_with_files() -> Pod {
    let pod = Pod::new();
    for file in 0..FILES {
        let mut writer = Writer::new(&pod.log(&format!("many-{file}.log")));
        writer.skip(file * LINES);
        writer.write(LINES);
    }
    pod
}

/// log-forwarder on those files
#[track_caller]
fn start_on_all(pod: &Pod, output: &str, arguments: &[&str]) -> Program {
    let inputs = pod.log("many-*.log").display().to_string();
    let mut command = pod.command(&["--input", &inputs, "--output", output]);
    command.envs([("POD_NAMESPACE", "shop"), ("POD_NAME", "web-0")]);
    start(command.args(arguments))
}

#[track_caller]
fn assert_all_once(mut messages: Vec<String>) {
    messages.sort();
    assert_eq!(messages, (0..FILES * LINES).map(line).collect::<Vec<_>>());
}

#[test]
fn lines_of_all_files_wait_for_each_other_and_a_stop_ends_the_wait() {
    let (pod, collector) = (pod_with_files(), Collector::start());
    let program = start_on_all(&pod, &collector.url(), &["--linger", "1h"]);
    pod.wait_for_checkpoint();
    assert!(collector.seen().is_empty());
    let ended = stop(program);
    assert_eq!(collector.seen().iter().map(|request| request.lines).collect::<Vec<_>>(), [50]);
    assert_all_once(collector.messages());
    assert_eq!(ledger(&ended)["lines"], 50);
}

#[test]
fn rotated_files_of_a_path_stand_in_one_request_in_their_order() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &collector.url(), "--linger", "1h"]);
    pod.wait_for_checkpoint();
    for number in 0..20 {
        writer.write(5);
        writer.move_away(&format!(".{}", 20 - number));
    }
    writer.write(5);
    stop(program);
    assert!(collector.messages() == (0..105).map(line).collect::<Vec<_>>(), "{:?}", collector.messages());
    let requests = collector.seen().len();
    assert!(requests < 5, "{requests} requests for 21 files");
}

#[test]
fn enough_lines_do_not_wait() {
    let (pod, collector) = (pod_with_files(), Collector::start());
    let program = start_on_all(&pod, &collector.url(), &["--linger", "1h", "--max-batch", "1200"]);
    collector.wait_for_requests(1);
    let first = collector.seen()[0].lines;
    let bytes: usize = collector.messages().iter().take(first).map(|message| message.len() + 1).sum();
    assert!((600..=1200).contains(&bytes), "{bytes}");
    stop(program);
    assert_all_once(collector.messages());
}

#[test]
fn lines_wait_no_longer_than_they_should() {
    let (pod, collector) = (pod_with_files(), Collector::start());
    let program = start_on_all(&pod, &collector.url(), &["--linger", "100ms"]);
    collector.wait_for_requests(1);
    assert_eq!(collector.seen()[0].lines, 50);
    stop(program);
}

#[test]
fn a_line_that_is_refused_in_one_file_costs_no_other_file_a_line() {
    let (pod, collector) = (pod_with_files(), Collector::start());
    collector.refuse_lines_with(&line(23));
    let dead = pod.beside("dead").display().to_string();
    let program = start_on_all(&pod, &collector.url(), &["--linger", "100ms", "--dead-letter", &dead]);
    collector.wait_for(&line(49));
    let ended = stop(program);
    let letter: Value = serde_json::from_str(fs::read_to_string(&dead).unwrap().trim_end()).unwrap();
    assert_eq!((&letter["message"], &letter["file"]), (&line(23).into(), &pod.log("many-2.log").to_str().into()));
    let mut messages = collector.messages();
    messages.push(line(23));
    assert_all_once(messages);
    assert_eq!(ledger(&ended)["lines"], 49);
}

#[test]
fn a_batch_that_is_not_delivered_is_read_again_from_all_its_files() {
    let pod = pod_with_files();
    let away = "http://127.0.0.1:9/lines";
    let program = start_on_all(&pod, away, &["--linger", "0s", "--shutdown-timeout", "300ms"]);
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code, Some(75));
    assert_adds_up(&ledger(&ended));
    let collector = Collector::start();
    stop(start_on_all(&pod, &collector.url(), &["--linger", "1h"]));
    assert_all_once(collector.messages());
}

#[test]
fn a_push_to_loki_has_one_stream_because_loki_reports_the_fault_of_one() {
    for labels in ["", "#labels=filename"] {
        let (pod, loki) = (pod_with_files(), Receiver::start(|_| Some((204, String::new(), String::new()))));
        let output = format!("loki+http://{}{labels}", loki.address());
        let program = start_on_all(&pod, &output, &["--linger", "1h"]);
        pod.wait_for_checkpoint();
        stop(program);
        let (mut lines, mut requests) = (Vec::new(), 0);
        for request in loki.requests() {
            let push: Value = serde_json::from_slice(&request.body).unwrap();
            let [stream] = &push["streams"].as_array().unwrap()[..] else { panic!("{push}") };
            lines
                .extend(stream["values"].as_array().unwrap().iter().map(|entry| entry[1].as_str().unwrap().to_owned()));
            requests += 1;
        }
        assert_all_once(lines);
        // Files have the stream in common, unless their names are labels.
        assert_eq!(requests == 1, labels.is_empty(), "{requests}");
    }
}

#[test]
fn documents_of_several_files_have_answers_of_their_own() {
    // One of each file is refused for good, and one is asked for again.
    let mut round = 0;
    let index = Receiver::start(move |request| {
        round += 1;
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let documents = text.lines().skip(1).step_by(2).map(|line| serde_json::from_str::<Value>(line).unwrap());
        let item = |document: Value| {
            let status = match document["message"].as_str().unwrap().as_bytes()[12] {
                b'3' => 400,
                b'7' if round == 1 => 429,
                _ => 201,
            };
            let error = (status > 201).then(|| serde_json::json!({"type": "x", "reason": "y"}));
            serde_json::json!({"create": {"status": status, "error": error}})
        };
        let items: Vec<Value> = documents.map(item).collect();
        Some((200, String::new(), serde_json::json!({"errors": true, "items": items}).to_string()))
    });
    let (pod, dead) = (pod_with_files(), "dead");
    let output = format!("elasticsearch+http://{}/logs", index.address());
    let dead = pod.beside(dead).display().to_string();
    let program = start_on_all(&pod, &output, &["--linger", "1h", "--dead-letter", &dead]);
    pod.wait_for_checkpoint();
    let ended = stop(program);
    let counts: Vec<_> =
        index.requests().iter().map(|request| request.body.split(|byte| *byte == b'\n').count() / 2).collect();
    assert_eq!(counts, [50, 5]);
    let letters = fs::read_to_string(&dead).unwrap();
    let letters = letters.lines().map(|letter| serde_json::from_str::<Value>(letter).unwrap());
    let messages: Vec<_> = letters.map(|letter| letter["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, [3, 13, 23, 33, 43].map(line));
    assert_eq!(ledger(&ended)["lines"], 45);
}

#[test]
fn a_request_of_otlp_has_the_records_of_all_files() {
    let (pod, receiver) = (pod_with_files(), OtlpReceiver::start());
    let program = start_on_all(&pod, &receiver.url(""), &["--linger", "1h"]);
    pod.wait_for_checkpoint();
    stop(program);
    assert_all_once(receiver.bodies());
    let files: std::collections::BTreeSet<_> =
        receiver.records().into_iter().map(|record| record.attributes["log.file.name"].clone()).collect();
    assert_eq!(files.len(), 5);
}

#[test]
fn a_message_of_the_forward_protocol_has_one_tag() {
    // By the pod, all files have one tag; by their paths, each has its own.
    for (with_pod, messages) in [(true, 1), (false, 5)] {
        let (pod, fluentd) = (pod_with_files(), Fluentd::start(None, None));
        let inputs = pod.log("many-*.log").display().to_string();
        let output = format!("forward://{}", fluentd.address);
        let mut command = pod.command(&["--input", &inputs, "--output", &output, "--linger", "1h"]);
        if with_pod {
            command.envs([("POD_NAMESPACE", "shop"), ("POD_NAME", "web-0")]);
        }
        let program = start(&mut command);
        pod.wait_for_checkpoint();
        stop(program);
        assert_all_once(fluentd.messages());
        assert_eq!(fluentd.chunks().len(), messages, "with a pod: {with_pod}");
        let tags: std::collections::BTreeSet<_> = fluentd.entries().into_iter().map(|(tag, ..)| tag).collect();
        assert_eq!(tags.len(), messages);
    }
}
