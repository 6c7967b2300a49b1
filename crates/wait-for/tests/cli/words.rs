//! The output: a line at each change, none in a loop, a summary, a last line, one object.

use serde_json::Value;

use crate::support::{
    Program, Signal,
    http::{Http, status},
    run,
    server::{ClosedPort, Server, hold},
    wait_for,
};

#[test]
fn a_line_is_written_when_a_reason_changes_and_none_in_a_loop() {
    let server = Http::start(|request| match request.nth {
        0..50 => status("503 Starting"),
        50..100 => status("500 Migrating"),
        _ => status("200 OK"),
    });
    let ended = run(&["--interval", "1ms", &server.url("/")]);
    let told: Vec<_> = ended.log.iter().map(|line| (&line["message"], &line["attempts"])).collect();
    assert_eq!(
        told,
        [
            (&"wait-for starts".into(), &Value::Null),
            (&"not ready".into(), &1.into()),
            (&"not ready".into(), &51.into()),
            (&"ready".into(), &101.into()),
            (&"the wait is over".into(), &Value::Null),
        ]
    );
}

#[test]
fn the_first_line_tells_version_and_settings() {
    let ended =
        run(&["--any", "--stable", "2", "--interval", "1ms", "file:///dev/null", "file:///proc", "--", "/bin/true"]);
    let line = ended.message("wait-for starts");
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(line["targets"], serde_json::json!(["file:///dev/null", "file:///proc"]));
    assert_eq!((&line["stable"], &line["any"], &line["command"]), (&"2".into(), &true.into(), &"/bin/true".into()));
    assert!(line["timeout"].is_null() && line["not"].is_null(), "only what differs from its default: {line}");
}

#[test]
fn the_arguments_of_the_command_are_nobodys_business() {
    let ended = run(&["file:///dev/null", "--", "/bin/echo", "hunter2"]);
    assert_eq!(ended.stdout, "hunter2\n");
    assert!(!format!("{:?}", ended.log).contains("hunter2"));
}

#[test]
fn what_is_missing_is_summed_up_at_the_end() {
    let (one, other) = (ClosedPort::new(), ClosedPort::new());
    let ready = Server::start(|stream, _| hold(stream));
    let ended = run(&["--timeout", "1s", &one.url(), &ready.url("tcp"), &other.url()]);
    let missing = ended.messages("missing");
    assert_eq!((&missing[0]["target"], &missing[1]["target"]), (&one.url().into(), &other.url().into()));
    for line in missing {
        assert_eq!(line["reason"], "connection refused");
        assert!(line["attempts"].as_u64() > Some(1));
    }
    let summary = ended.message("the wait ends: timed-out");
    assert_eq!((&summary["ready"], &summary["targets"]), (&1.into(), &3.into()));
    let words = format!(r#"reason=timed-out what="{} and 1 more" last="connection refused" attempts="#, one.url());
    ended.ended_with(124, &words);
}

#[test]
fn the_last_line_keeps_its_grammar() {
    let ended = run(&["--timeout", "200ms", "file:///none"]);
    let line = ended.last_line();
    let rest = line.strip_prefix(r#"code=124 reason=timed-out what="file:///none" last="no such file" attempts="#);
    let (attempts, elapsed) = rest.and_then(|rest| rest.split_once(" elapsed=")).unwrap_or_else(|| panic!("{line}"));
    assert!(attempts.parse::<u64>().is_ok(), "{line}");
    assert!(elapsed.strip_suffix('s').is_some_and(|seconds| seconds.parse::<f64>().is_ok()), "{line}");
}

#[test]
fn a_success_says_nothing_on_stdout() {
    let ended = run(&["file:///dev/null"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(ended.last_line(), "the wait is over");
}

#[test]
fn one_object_is_printed_when_asked_for() {
    let port = ClosedPort::new();
    let ended = run(&["--output", "json", "--timeout", "1s", "file:///dev/null", &port.url()]);
    let json = ended.json();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert_eq!((&json["state"], &json["code"]), (&"timed-out".into(), &124.into()));
    assert!(json["seconds"].as_f64() >= Some(1.0));
    let [ready, waiting] = json["targets"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    assert_eq!(
        (&ready["target"], &ready["state"], &ready["attempts"]),
        (&"file:///dev/null".into(), &"ready".into(), &1.into())
    );
    assert!(ready["last"] == "0 bytes" && ready["seconds"].is_f64(), "{json:#}");
    assert_eq!((&waiting["target"], &waiting["state"]), (&port.url().into(), &"waiting".into()));
    assert_eq!(waiting["last"], "connection refused");
    assert!(waiting["attempts"].as_u64() > Some(1));
}

#[test]
fn the_object_tells_of_every_end() {
    let json = run(&["--output", "json", "file:///dev/null"]).json();
    assert_eq!((&json["state"], &json["code"]), (&"ready".into(), &0.into()));
    let refusing = Http::start(|_| status("403 Forbidden"));
    let json = run(&["--output", "json", &refusing.url("/#header=Authorization: x")]).json();
    assert_eq!((&json["state"], &json["code"]), (&"denied".into(), &77.into()));
    assert_eq!(json["targets"][0]["state"], "never");
    let mut program = Program::start(&mut wait_for(&["--output", "json", "file:///none"]));
    program.wait_for_message("not ready");
    program.signal(Signal::TERM);
    let json = program.end().json();
    assert_eq!((&json["state"], &json["code"]), (&"stopped".into(), &143.into()));
    let json = run(&["--output", "json", "--disabled", "file:///none"]).json();
    assert_eq!((&json["state"], &json["code"]), (&"disabled".into(), &0.into()));
    assert_eq!(json["targets"][0]["attempts"], 0);
}

#[test]
fn text_lines_are_written_when_asked_for() {
    let ended = run(&["--log-format", "text", "--timeout", "200ms", "file:///none"]);
    let lines: Vec<_> = ended.log.iter().map(harness::Line::text).collect();
    let line = lines.iter().find(|line| line.contains(" not ready ")).unwrap();
    assert!(line.ends_with(r#"INFO not ready target="file:///none" reason="no such file" attempts=1"#), "{line}");
}

#[test]
fn only_important_lines_are_written_when_asked_for() {
    let ended = run(&["--log-level", "error", "--timeout", "200ms", "file:///none"]);
    assert_eq!(ended.log.len(), 1, "{ended:#?}");
    ended.ended_with(124, "reason=timed-out");
}

#[test]
fn an_object_that_nobody_reads_does_not_keep_the_command_from_running() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = wait_for(&["--output", "json", "file:///dev/null", "--", "/bin/sh", "-c", "exit 7"]);
    let status = command.stdout(writer).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn an_object_that_cannot_be_written_is_74() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = wait_for(&["--output", "json", "file:///dev/null", "--", "/bin/true"]);
    let status = command.stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(74));
}
