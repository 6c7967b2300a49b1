//! HTTP and TCP: what delivers a batch, what sends it again, and what refuses a line for good.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
};

use serde_json::Value;

use crate::{
    collector::{Answer, Collector},
    receiver::Receiver,
    support::{Pod, Signal, Writer, accept, assert_all_there, ledger, line, start, stop, until},
};

#[test]
fn a_batch_is_delivered_by_2xx_alone_and_goes_again_under_the_same_name() {
    let pod = Pod::new();
    let collector = Collector::start();
    let say = |status: u16| Answer::Say(status, String::new());
    collector.answer([say(500), say(404), say(302), Answer::HalfAndClose, Answer::Keep(204)]);
    Writer::new(&pod.log("app.log")).write(20);
    let program = pod.start(&["--output", &collector.url()]);
    collector.wait_for_requests(5);
    let ended = stop(program);
    let seen = collector.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|request| request.key == seen[0].key && request.lines == 20), "{seen:?}");
    assert_all_there(collector.messages().iter().map(String::as_str), 20);
    assert_eq!(ledger(&ended)["lines"], 20);
}

#[test]
fn an_answer_that_comes_before_the_body_is_sent_delivers_nothing() {
    let pod = Pod::new();
    let collector = Collector::start();
    collector.answer([Answer::EarlyOk]);
    // More than what fits into the buffers between the two
    Writer::new(&pod.log("app.log")).write(60_000);
    let mut command = pod.command(&["--output", &collector.url(), "--max-line", "1KiB"]);
    let program = start(command.args(["--max-in-flight", "64MiB"]));
    collector.wait_for(&line(59_999));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lines"], 60_000);
}

#[test]
fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    let pod = Pod::new();
    let collector = Collector::start();
    let past = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    collector.answer([Answer::Say(429, past.into()), Answer::Say(503, "Retry-After: 1\r\n".into())]);
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &collector.url()]);
    program.wait_for_reason("429 Too Many Requests: why");
    program.wait_for_reason("503 Service Unavailable: why");
    program.wait_for_message("delivers again");
    stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 5);
}

#[test]
fn a_line_that_is_refused_alone_goes_to_the_dead_letters_and_all_others_arrive() {
    let pod = Pod::new();
    let collector = Collector::start();
    collector.refuse_lines_with(&line(37));
    Writer::new(&pod.log("app.log")).write(100);
    let dead = pod.beside("dead").display().to_string();
    let program = pod.start(&["--output", &collector.url(), "--dead-letter", &dead]);
    collector.wait_for(&line(99));
    let ended = stop(program);
    let letters = fs::read_to_string(&dead).unwrap();
    let letter: Value = serde_json::from_str(letters.trim_end()).unwrap();
    assert_eq!(letter["message"], line(37));
    assert_eq!(letter["reason"], "400 Bad Request: why");
    assert_eq!(letter["file"], pod.log("app.log").display().to_string());
    let mut messages = collector.messages();
    messages.insert(37, line(37));
    assert_all_there(messages.iter().map(String::as_str), 100);
    assert_eq!(messages.len(), 100);
    let entries = ledger(&ended);
    assert_eq!((entries["lines"], entries["rejected"]), (99, line(37).len() as u64 + 1));
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let pod = Pod::new();
    let collector = Collector::start();
    collector.answer([Answer::Say(413, String::new()), Answer::Say(413, String::new())]);
    Writer::new(&pod.log("app.log")).write(100);
    let program = pod.start(&["--output", &collector.url()]);
    collector.wait_for(&line(99));
    let ended = stop(program);
    let sizes: Vec<_> = collector.seen().iter().map(|request| request.lines).collect();
    assert_eq!(sizes.len(), 5, "{sizes:?}");
    assert_eq!((sizes[0], sizes[2..].iter().sum::<usize>()), (100, 100));
    assert_all_there(collector.messages().iter().map(String::as_str), 100);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["rejected"]), (100, 0));
}

#[test]
fn lines_go_over_one_connection_and_over_the_next_when_it_is_closed() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = format!("tcp://{}", listener.local_addr().unwrap());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&["--output", &output]);
    let first = accept(&listener);
    let mut lines = BufReader::new(&first).lines().map(Result::unwrap);
    let mut got: Vec<_> = lines.by_ref().take(10).collect();
    drop(lines);
    // Closed while nothing is in flight: the next lines must not go into it.
    drop(first);
    pod.wait_for_checkpoint();
    writer.write(10);
    let second = accept(&listener);
    got.extend(BufReader::new(&second).lines().map(Result::unwrap).take(10));
    assert_all_there(got.iter().map(String::as_str), 20);
    stop(program);
}

#[test]
fn outputs_go_at_their_own_pace() {
    let pod = Pod::new();
    let away = crate::rotation::free_address();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(1000);
    let program = pod.start(&["--output", &pod.file_output(), "--output", &format!("http://{away}/")]);
    pod.wait_for_lines(1000);
    writer.write(1000);
    pod.wait_for_lines(2000);
    let collector = Collector::on(TcpListener::bind(&away).unwrap());
    collector.wait_for(&line(1999));
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 2000);
    assert_all_there(collector.messages().iter().map(String::as_str), 2000);
    assert_eq!(ledger(&ended)["lines"], 4000);
}

#[test]
fn records_whose_lines_alternate_are_refused_one_by_one() {
    let (pod, collector) = (Pod::new(), Collector::start());
    collector.refuse_lines_with("bad");
    let lines = ["stdout P one ", "stderr P bad ", "stdout F and two", "stderr F thing", "stdout F three"];
    let lines = lines.map(|line| format!("2026-11-24T09:58:45Z {line}\n"));
    fs::write(pod.log("app.log"), lines.concat()).unwrap();
    let dead = pod.beside("dead").display().to_string();
    let program = pod.start(&["--output", &collector.url(), "--dead-letter", &dead, "--format", "cri"]);
    collector.wait_for("three");
    let ended = stop(program);
    assert_eq!(collector.messages(), ["one and two", "three"]);
    assert_eq!(fs::read_to_string(&dead).unwrap().lines().count(), 1);
    let entries = ledger(&ended);
    assert_eq!((entries["lines"], entries["rejected"]), (3, (lines[1].len() + lines[3].len()) as u64));
}

#[test]
fn short_lines_make_no_huge_request() {
    let (pod, collector) = (Pod::new(), Collector::start());
    fs::write(pod.log("app.log"), "\n".repeat(100_000) + &line(0) + "\n").unwrap();
    let program = pod.start(&["--output", &collector.url()]);
    collector.wait_for(&line(0));
    let ended = stop(program);
    let most = collector.seen().iter().map(|request| request.lines).max();
    assert!(most <= Some(4096), "{most:?}");
    assert_eq!(ledger(&ended)["lines"], 100_001);
}

#[test]
fn every_output_over_http_waits_as_long_as_it_is_asked_to() {
    let pod = Pod::new();
    let busy = Receiver::start(|_| Some((429, "Retry-After: 600\r\n".into(), "busy".into())));
    // It asks for nothing, and so tells that time goes by.
    let broken = Receiver::start(|_| Some((503, String::new(), "broken".into())));
    Writer::new(&pod.log("app.log")).write(5);
    let schemes = ["http", "elasticsearch+http", "loki+http", "otlp+http"];
    let outputs = schemes.map(|scheme| format!("{scheme}://{}/busy", busy.address()));
    let control = format!("http://{}/", broken.address());
    let mut command = pod.command(&["--output", &control]);
    let program = start(command.args(outputs.iter().flat_map(|output| ["--output", output])));
    until("the other one was asked often", || (broken.requests().len() >= 6).then_some(()));
    let mut targets: Vec<_> = busy.requests().iter().map(|request| request.target.clone()).collect();
    targets.sort();
    let expected = ["/busy", "/busy/_bulk?", "/busy/loki/api/v1/push", "/busy/v1/logs"];
    assert_eq!(targets.len(), expected.len(), "{targets:?}");
    assert!(targets.iter().zip(expected).all(|(target, expected)| target.starts_with(expected)), "{targets:?}");
    program.signal(Signal::KILL);
    program.end();
}

#[test]
fn a_success_whose_body_stalls_has_delivered_the_batch() {
    let pod = Pod::new();
    let stalling = Receiver::start(|_| Some((200, "Content-Length: 10\r\n".into(), "half".into())));
    Writer::new(&pod.log("app.log")).write(5);
    let schemes = ["http", "loki+http", "otlp+http"];
    let outputs = schemes.map(|scheme| format!("{scheme}://{}/", stalling.address()));
    let program = pod.start(&outputs.each_ref().map(|output| ["--output", output]).concat());
    until("each output sends", || (stalling.requests().len() >= 3).then_some(()));
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], stalling.requests().len()), (15, 3));
}

#[test]
fn two_outputs_of_one_url_have_places_of_their_own() {
    let (pod, receiver) = (Pod::new(), Receiver::start(|_| Some((200, String::new(), String::new()))));
    let url = format!("http://{}/", receiver.address());
    let outputs = ["--output", &format!("{url}?tenant=a"), "--output", &format!("{url}?tenant=b#name=b")];
    let mut writer = Writer::new(&pod.log("app.log"));
    for count in [5, 1] {
        writer.write(count);
        let program = pod.start(&outputs);
        let ended = stop(program);
        assert_eq!(ledger(&ended)["lines"], 2 * count);
    }
    let mut targets: Vec<_> = receiver.requests().into_iter().map(|request| request.target).collect();
    targets.sort();
    assert_eq!(targets, ["/?tenant=a", "/?tenant=a", "/?tenant=b", "/?tenant=b"]);
}
