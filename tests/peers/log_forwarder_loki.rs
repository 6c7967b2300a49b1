//! log-forwarder before Loki: it holds what the ledger says was delivered, with all that is known of each line.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use e2e::{
    forwarder::{Logs, assert_lines, finish},
    peers::loki::Loki,
};
use harness::until;
use serde_json::Value;

const LINES: usize = 10_000;
const ALL: &str = r#"{job="log-forwarder"}"#;

fn texts(entries: &[(String, Value)]) -> Vec<&str> {
    entries.iter().map(|(line, _)| line.as_str()).collect()
}

/// A line of JSON from some hours ago, in seconds as `date` prints them
fn object(hours_ago: u64, text: &str) -> String {
    object_of(hours_ago * 3600, text)
}

/// The same, from some seconds ago
fn object_of(seconds_ago: u64, text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!(r#"{{"ts":{},"msg":"{text}","status":500,"level":"error"}}"#, now - seconds_ago) + "\n"
}

#[test]
fn lines_are_all_there_in_order_with_what_is_known_of_them() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    logs.write_lines(LINES);
    let pod = ["--pod-name", "web-0", "--pod-namespace", "shop", "--container-name", "nginx"];
    let mut forwarder = logs.forward(&[&pod[..], &["--output", &loki.output()]].concat());
    forwarder.says("cannot deliver");
    loki.start();
    until("all lines are there", || (loki.count(ALL) == LINES).then_some(()));
    assert_eq!(finish(forwarder)["lines"], LINES as u64);
    let entries = loki.lines(r#"{namespace="shop", container="nginx", service_name="nginx"}"#);
    assert_lines(&texts(&entries), LINES);
    let (_, names) = &entries[7];
    assert_eq!(
        (&names["pod"], &names["filename"]),
        (&"web-0".into(), &logs.join("app.log").display().to_string().into())
    );
    // Metadata is looked for, too.
    let offset = names["log_offset"].as_str().unwrap();
    let found = loki.lines(&format!(r#"{{namespace="shop"}} | pod="web-0" | log_offset="{offset}""#));
    assert_eq!(texts(&found), texts(&entries[7..8]));
}

#[test]
fn equal_lines_stay_two_and_times_of_their_own_make_a_second_delivery_none() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    loki.start();
    // As a probe that asks twice a second is logged
    logs.append(&object(0, "the same").repeat(3000));
    let arguments = ["--format", "json", "--output", &loki.output()];
    for _ in 0..2 {
        let forwarder = logs.forward(&arguments);
        assert_eq!(finish(forwarder)["lines"], 3000);
        fs::remove_dir_all(logs.join("state")).unwrap();
    }
    // Killed in the middle, or not
    let forwarder = logs.forward(&arguments);
    until("there are as many", || (loki.count(ALL) >= 3000).then_some(()));
    drop(forwarder);
    assert_eq!(finish(logs.forward(&arguments))["lost"], 0);
    assert_eq!(loki.count(&format!(r#"{ALL} | status="500" | level="error" |= "the same""#)), 3000);
}

#[test]
fn what_is_too_old_is_there_with_its_time_beside() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    loki.start();
    logs.append(&object(0, "new"));
    let dead = logs.join("dead").display().to_string();
    let forwarder = logs.forward(&["--format", "json", "--output", &loki.output(), "--dead-letter", &dead]);
    until("the new line is there", || (loki.count(ALL) == 1).then_some(()));
    // Too far behind the new one, and too old for any stream
    logs.append(&object(3, "behind"));
    until("the next one is there", || (loki.count(ALL) == 2).then_some(()));
    logs.append(&object(24 * 30, "old"));
    until("the last one is there", || (loki.count(ALL) == 3).then_some(()));
    assert_eq!((finish(forwarder)["lines"], logs.read("dead")), (3, String::new()));
    let entries = loki.lines(ALL);
    assert_eq!(texts(&entries), ["new", "behind", "old"]);
    assert_eq!(entries[0].1["time"], Value::Null);
    assert!(entries[1..].iter().all(|(_, names)| names["time"].as_str().unwrap().ends_with("00Z")), "{entries:?}");
}

#[test]
fn late_lines_among_others_are_moved_alone() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    loki.start();
    // More than an hour, beyond which lines are too far behind, and less than Loki keeps before it looks for them elsewhere
    let lines: Vec<_> = (0..100).map(|number| (2 * 3600 - number * 60, format!("line {number}"))).collect();
    let mut text: Vec<_> = lines.iter().map(|(ago, line)| object_of(*ago, line)).collect();
    text.insert(20, object(24 * 30, "old"));
    text.insert(40, object(24 * 30, &"x".repeat(300_000)));
    text.insert(60, object(3, "behind"));
    logs.append(&text.concat());
    let dead = logs.join("dead").display().to_string();
    let forwarder = logs.forward(&["--format", "json", "--output", &loki.output(), "--dead-letter", &dead]);
    until("all lines are there", || (loki.count(ALL) >= 102).then_some(()));
    let ledger = finish(forwarder);
    assert_eq!((ledger["lines"], logs.read("dead").lines().count(), loki.count(ALL)), (102, 1, 102));
    let entries = loki.lines(ALL);
    let mut moved: Vec<_> =
        entries.iter().filter(|(_, names)| names["time"].is_string()).map(|(line, _)| line).collect();
    moved.sort();
    assert_eq!(moved, ["behind", "old"]);
    let in_order: Vec<_> = entries.iter().filter(|(_, names)| names["time"].is_null()).map(|(line, _)| line).collect();
    assert_eq!(in_order, lines.iter().map(|(_, line)| line).collect::<Vec<_>>());
}

#[test]
fn a_record_with_more_metadata_than_loki_takes_keeps_its_text() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    loki.start();
    let fields: Vec<String> = (0..200).map(|number| format!(r#""f{number}":{number},"#)).collect();
    let fields = fields.concat();
    let stack = "at x.y.Z ".repeat(10_000);
    logs.append(&format!(r#"{{{fields}"msg":"wide"}}"#));
    logs.append(&format!("\n{{\"stack\":\"{stack}\",\"msg\":\"long\"}}\n"));
    let forwarder = logs.forward(&["--format", "json", "--output", &loki.output()]);
    until("both lines are there", || (loki.count(ALL) == 2).then_some(()));
    assert_eq!((finish(forwarder)["lines"], loki.count(&format!(r#"{ALL} | fields_left_out="1""#))), (2, 1));
}

#[test]
fn a_line_that_is_too_long_goes_to_the_dead_letters_and_no_other_is_there_twice() {
    let (mut loki, logs) = (Loki::new(), Logs::new());
    loki.start();
    logs.write(0..500);
    logs.append(&("x".repeat(300_000) + "\n"));
    // Lines of any bytes
    fs::write(logs.join("odd"), b"caf\xe9 \x00\x1b[1m \xf0\x9f\x98\x80\n\n\n").unwrap();
    logs.write(500..1000);
    let (dead, output) = (logs.join("dead").display().to_string(), loki.output() + "#gzip&label=env=test");
    let odd = logs.join("odd").display().to_string();
    let forwarder = logs.forward(&["--input", &odd, "--output", &output, "--dead-letter", &dead]);
    until("all others are there", || (loki.count(ALL) == 1003).then_some(()));
    let ledger = finish(forwarder);
    assert_eq!((ledger["lines"], ledger["rejected"]), (1003, 300_001));
    assert!(logs.read("dead").contains("400 Bad Request: max entry size '262144' bytes exceeded"));
    assert_lines(&texts(&loki.lines(r#"{env="test"} | filename=~".*app.log""#)), 1000);
    assert_eq!(loki.count(r#"{env="test"} | filename=~".*odd" |= "caf""#), 1);
}
