//! Lines on stderr: JSON or text, from a level up, without secrets.

use std::{fs, process::Stdio};

use serde_json::Value;

use crate::support::{NEVER, Program, end, program, sidecar, sidecar_command, task};

#[test]
fn json_is_one_object_a_line() {
    for format in [&[][..], &["--log-format", "json"]] {
        let mut command = task(&["--end", "unavailable", "--last", "said \"no\"\nand left"]);
        command.args(format);
        let ended = end(command);
        for line in &ended.log {
            let line: Value = serde_json::from_str(line).expect("JSON");
            for field in ["timestamp", "level", "message"] {
                assert!(line[field].is_string(), "{field} in {line}");
            }
        }
        ended.ended_with(69, r#"reason=unavailable last="said \"no\"\nand left" elapsed=0"#);
    }
}

#[test]
fn the_first_line_tells_version_and_settings() {
    let mut program = Program::start(&mut sidecar(&["--drain-delay", "7s", "--log-format", "json"]));
    let line: Value = serde_json::from_str(&program.wait_for_line("")).unwrap();
    assert_eq!(line["message"], "test-sidecar starts");
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    for (field, value) in [("log-format", "json"), ("health-addr", "127.0.0.1:0"), ("drain-delay", "7s")] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    let names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["drain-delay", "health-addr", "level", "log-format", "message", "timestamp", "version"];
    assert_eq!(names, expected, "only what differs from its default: {line}");
}

#[test]
fn the_first_line_tells_what_is_not_there_by_default() {
    let flags = ["--admin-addr", "127.0.0.1:0", "--exit-with-file", NEVER, "--exit-with-process", "nobody"];
    let mut program = Program::start(&mut sidecar(&flags));
    let line: Value = serde_json::from_str(&program.wait_for_line("")).unwrap();
    for (field, value) in [("admin-addr", "127.0.0.1:0"), ("exit-with-file", NEVER), ("exit-with-process", "nobody")] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    let task = end(task(&["--log-level", "debug", "--log-format", "text"])).log.concat();
    assert!(task.contains("log-format=text log-level=debug"), "{task}");
    assert!(!task.contains("health-addr"), "a task has no listener: {task}");
}

#[test]
fn text_is_a_line_for_people() {
    let ended = end(task(&["--log-format", "text", "--end", "io"]));
    assert_eq!(ended.log.len(), 2, "{ended:#?}");
    assert!(ended.log[0].contains(" INFO test-task starts version="), "{ended:#?}");
    assert!(ended.log[1].contains(r#" ERROR code=74 reason=io last="told to end so" elapsed=0"#), "{ended:#?}");
    assert!(!ended.log.concat().contains('\u{1b}'), "no colours: {ended:#?}");
}

#[test]
fn no_text_forges_a_line_or_steers_a_terminal() {
    let last = "a\nb\u{1b}[31m\u{9b}c";
    let ended = end(task(&["--log-format", "text", "--end", "io", "--last", last]));
    assert!(ended.log.concat().chars().all(|character| !character.is_control()), "{ended:#?}");
    // A path is displayed, not formatted for debugging.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a\n2026 ERROR forged=\"yes\"\u{1b}[2J");
    fs::write(&file, "greeting: hello").unwrap();
    let mut program = Program::start(&mut sidecar(&["--log-format", "text", "--config", file.to_str().unwrap()]));
    program.wait_for_line("the greeting");
    fs::write(&file, "greeting: other").unwrap();
    let line = program.wait_for_line("new configuration in force");
    assert!(line.contains(r#"a\n2026 ERROR forged=\"yes\"\u{1b}[2J""#), "{line:?}");
    program.signal("TERM");
    let ended = program.end();
    assert!(ended.log.iter().all(|line| !line.starts_with("2026 ERROR")), "{ended:#?}");
}

#[test]
fn a_level_hides_what_is_below_it_and_never_the_last_line() {
    let mut by_variable = task(&["--end", "io"]);
    by_variable.env("SIDEKIT_LOG_LEVEL", "error").env("SIDEKIT_LOG_FORMAT", "text");
    for command in [by_variable, task(&["--end", "io", "--log-level", "error", "--log-format", "text"])] {
        let ended = end(command);
        assert_eq!(ended.log.len(), 1, "{ended:#?}");
        assert!(ended.last_line().contains("code=74 reason=io"), "{ended:#?}");
    }
}

#[test]
fn a_secret_is_never_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "hunter2\n").unwrap();
    let ended = end(task(&["--secret-file", file.path().to_str().unwrap(), "--log-level", "trace", "--end", "panic"]));
    assert!(ended.log[0].contains(r#""secret-file":"/"#), "{ended:#?}");
    assert!(!ended.log.concat().contains("hunter2"), "{ended:#?}");
}

#[test]
fn stdout_is_left_alone() {
    assert_eq!(end(task(&["--end", "io"])).stdout, "");
    let mut program = Program::start(&mut sidecar(&[]));
    program.address("health");
    program.signal("TERM");
    assert_eq!(program.end().stdout, "");
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_fail() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = |mut command: std::process::Command| command.stderr(writer.try_clone().unwrap()).status().unwrap();
    assert_eq!(status(task(&[])).code(), Some(0));
    assert_eq!(status(task(&["--end", "io"])).code(), Some(74));
    assert_eq!(status(task(&["--end", "panic"])).code(), Some(70));
    assert_eq!(status(task(&["--nope"])).code(), Some(64));
}

#[test]
fn an_answer_that_can_not_be_written_is_74() {
    for arguments in [&["schema"][..], &["--help"], &["--version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = sidecar_command(arguments);
        assert_eq!(command.stdout(full).stderr(Stdio::null()).status().unwrap().code(), Some(74), "{arguments:?}");
    }
}

#[test]
fn closed_standard_streams_are_no_reason_to_fail() {
    let script = r#""$0" --end io <&- >&- 2>&-"#;
    let mut shell = program("/bin/sh", &["-c", script, env!("CARGO_BIN_EXE_test-task")]);
    assert_eq!(shell.stderr(Stdio::null()).status().unwrap().code(), Some(74));
}

#[test]
fn help_into_a_closed_pipe_is_no_reason_to_fail() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = task(&["--help"]);
    assert_eq!(command.stdout(writer).status().unwrap().code(), Some(0));
    assert_eq!(end(task(&["--after-file", NEVER, "--version"])).code, Some(0));
}
