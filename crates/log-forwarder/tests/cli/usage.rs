//! Bad input: each mistake, word for word, and the help. `UPDATE_SNAPSHOTS=1` writes the snapshots again.

use std::path::Path;

use harness::{Ended, Program, Signal};

use crate::support::log_forwarder;

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");

fn run(arguments: &[&str]) -> Ended {
    Program::start(&mut log_forwarder(arguments)).end()
}

#[track_caller]
fn assert_usage_error(name: &str, arguments: &[&str]) {
    harness::assert_usage_error(Path::new(SNAPSHOTS), name, &run(arguments));
}

#[test]
fn help_and_version_are_printed_on_stdout() {
    for flag in ["--help", "-h"] {
        let ended = run(&[flag]);
        assert_eq!((ended.code, ended.log.len()), (Some(0), 0), "{ended:#?}");
        harness::assert_snapshot(Path::new(SNAPSHOTS), flag.trim_start_matches('-'), &ended.stdout);
    }
    let version = concat!("log-forwarder ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(&["--version"]).stdout, version);
}

#[test]
fn what_is_missing() {
    assert_usage_error("no-input", &["--output", "stdout://"]);
    assert_usage_error("no-output", &["--input", "/logs/*.log"]);
}

#[test]
fn an_input_that_is_none() {
    assert_usage_error("relative-input", &["--input", "app.log", "--output", "stdout://"]);
    assert_usage_error("directory-input", &["--input", "/logs/", "--output", "stdout://"]);
    assert_usage_error("bad-pattern", &["--input", "/logs/[", "--output", "stdout://"]);
}

#[test]
fn a_format_that_is_none() {
    let with =
        |flag: &'static str, value: &'static str| ["--input", "/logs/*.log", "--output", "stdout://", flag, value];
    assert_usage_error("unknown-format", &with("--format", "jsno"));
    assert_usage_error("no-pattern", &with("--format", "regex"));
    assert_usage_error("bad-regex", &with("--format", "regex:^(?<level>[A-Z"));
    assert_usage_error("bad-keep", &with("--keep", "GET [/"));
    assert_usage_error("bad-redact", &with("--redact", "hunter2("));
    assert_usage_error("unknown-level", &with("--drop-below", "loud"));
    assert_usage_error("unknown-language", &with("--multiline", "jva"));
    assert_usage_error("unknown-encoding", &with("--encoding", "utf-9"));
    assert_usage_error("wide-encoding", &with("--encoding", "utf-16"));
    assert_usage_error("unknown-time-format", &with("--time-format", "unix_sm"));
    assert_usage_error("time-format-without-year", &with("--time-format", "%b %d %H:%M:%S"));
    assert_usage_error("unknown-time-zone", &with("--time-zone", "Europe/Berlim"));
    let arguments = ["--output", "stdout://", "--format", "nginx", "--time-key", "at"];
    assert_refused(&arguments, "format nginx has no field of your choice for the time: drop time-key and time-format");
    let arguments = ["--output", "stdout://", "--format", "json", "--multiline", "java"];
    assert_refused(&arguments, "multiline joins no lines of format json, where each is a record: drop one of them");
}

#[test]
fn a_value_may_begin_with_a_hyphen() {
    for (flag, value) in [
        ("--keep", "-----BEGIN"),
        ("--drop", "-- "),
        ("--keep-field", "-a=b"),
        ("--drop-field", "-a=b"),
        ("--redact", "-----BEGIN (?<secret>.*)"),
        ("--redact-with", "---"),
        ("--field", "-a=b"),
        ("--multiline", "^---$|-"),
        ("--multiline", "-- "),
        ("--time-key", "-time"),
        ("--time-format", "-%s"),
        ("--time-zone", "-03:30"),
    ] {
        let format = if flag == "--multiline" { "raw" } else { "logfmt" };
        let ended = run(&["--format", format, flag, value, "try", "/dev/null"]);
        ended.ended_with(65, "reason=data what=\"/dev/null\" last=\"it holds no lines\"");
    }
    // Behind = it is no flag.
    let ended = run(&["--format", "logfmt", "--drop=--output", "try", "/dev/null"]);
    ended.ended_with(65, "reason=data what=\"/dev/null\" last=\"it holds no lines\"");
    assert_refused(
        &["--output", "stdout://", "--redact", "--read-compressed"],
        "'--redact' needs a value, and a flag follows it",
    );
}

#[test]
fn an_output_that_is_none() {
    let with = |output: &'static str| ["--input", "/logs/*.log", "--output", output];
    assert_usage_error("unknown-scheme", &with("kafka://broker:9092"));
    assert_usage_error("no-port", &with("tcp://collector"));
    assert_usage_error("password", &with("http://user:secret@collector/"));
    assert_usage_error("unknown-option", &with("tcp://collector:5140#sa=raw"));
    assert_usage_error("bad-option", &with("tcp://collector:5140#as=xml"));
    assert_usage_error("bad-final-status", &with("http://collector/#final-status=4xx"));
    assert_usage_error("bad-proxy", &with("http://collector/#proxy=socks5://proxy:1080"));
    assert_usage_error("bad-age", &with("http://collector/#max-connection-age=10"));
}

/// The message about a wrong combination of flags
#[track_caller]
fn assert_refused(arguments: &[&str], words: &str) {
    let all = [&["--health-addr", "127.0.0.1:0", "--input", "/logs/*.log"], arguments].concat();
    run(&all).ended_with(64, &format!("reason=usage last=\"{words}"));
}

#[test]
fn flags_that_do_not_go_together() {
    assert_refused(&["--output", "stdout://", "--output", "stdout://#as=ndjson"], "output stdout:// is there twice");
    let remedy = "output http://a/ is there twice, and its place in a file would be ambiguous: drop one, or give one of them the option name=NAME";
    assert_refused(&["--output", "http://a/?pipeline=a", "--output", "http://a/?pipeline=b"], remedy);
    let dead = ["--dead-letter", "/none//x", "--output", "file:///none/x"];
    assert_refused(&dead, "--dead-letter and an output write one file: give each a file of its own");
    let login = ["--output", "http://127.0.0.1:1/#header=Cookie:hunter2"];
    assert_refused(
        &login,
        "invalid output \\\"http://127.0.0.1:1/\\\": option header: cookie in an argument is visible",
    );
    assert_refused(&["--output", "stdout://", "--max-line", "9MiB"], "--max-in-flight does not hold a line");
    assert_refused(&["--output", "stdout://", "--max-line", "0"], "invalid value for '--max-line <SIZE>': it would");
}

#[test]
fn a_variable_holds_several_one_a_line() {
    let mut command = log_forwarder(&["--output", "stdout://"]);
    let ended = Program::start(command.env("SIDEKIT_LOG_FORWARDER_INPUT", "/logs/a.log\nb.log")).end();
    ended.ended_with(64, r#"reason=usage last="invalid input \"b.log\" (from SIDEKIT_LOG_FORWARDER_INPUT): "#);
}

#[test]
fn no_error_repeats_what_may_be_a_secret() {
    for (flag, variable, value) in [
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://user:hunter2@collector/"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://collector/?token=hunter2#gzpi"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://collector/#header=Authorization: hunter2&as=xml"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://collector:99999/?token=hunter2"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://collector/#proxy=http://me:hunter2@proxy:3128"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "http://collector/#final-status=hunter2"),
        ("--output", "SIDEKIT_LOG_FORWARDER_OUTPUT", "hunter2"),
        ("--field", "SIDEKIT_LOG_FORWARDER_FIELD", "hunter2"),
        ("--field", "SIDEKIT_LOG_FORWARDER_FIELD", "message=hunter2"),
        ("--field", "SIDEKIT_LOG_FORWARDER_FIELD", "Bearer hunter2=x"),
        ("--redact", "SIDEKIT_LOG_FORWARDER_REDACT", "hunter2("),
        ("--redact", "SIDEKIT_LOG_FORWARDER_REDACT", "-hunter2("),
        ("--max-line", "SIDEKIT_LOG_FORWARDER_MAX_LINE", "hunter2"),
        ("--log-level", "SIDEKIT_LOG_LEVEL", "hunter2"),
    ] {
        let by_flag = run(&[flag, value]);
        let mut command = log_forwarder(&[]);
        let by_variable = Program::start(command.env(variable, value)).end();
        for ended in [by_flag, by_variable] {
            ended.ended_with(64, "reason=usage last=");
            assert!(!ended.everything().contains("hunter2"), "{value}: {ended:#?}");
        }
    }
    let stray = run(&["http://user:hunter2@collector/", "--output", "stdout://"]);
    stray.ended_with(64, "reason=usage last=");
    assert!(!stray.everything().contains("hunter2"), "{stray:#?}");
}

#[test]
fn the_start_line_has_labels_and_a_refused_start_has_none() {
    let output = "http://127.0.0.1:1/in?token=hunter2#header=X-Api-Key: hunter2";
    let flags = [
        "--health-addr",
        "127.0.0.1:0",
        "--input",
        "/none/*.log",
        "--output",
        output,
        "--field",
        "key=hunter2",
        "--redact",
        "hunter2",
    ];
    let program = Program::start(&mut log_forwarder(&flags));
    program.signal(Signal::TERM);
    let ended = program.end();
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    let twice = run(&["--input", "/none/*.log", "--output", "stdout://", "--output", "stdout://"]);
    assert_eq!((twice.code, twice.log.len()), (Some(64), 1), "{twice:#?}");
    let mut started = Program::start(&mut log_forwarder(&flags));
    let line = started.wait_for_message("log-forwarder starts");
    assert_eq!((&line["output"][0], &line["field"][0]), (&"http://127.0.0.1:1/in".into(), &"key".into()), "{line}");
}
