//! COMMAND: wait-for becomes it, with all that the app would have had without wait-for.

use std::{
    fs,
    io::{Read, Seek, Write},
    process::{Command, Stdio},
};

use tempfile::NamedTempFile;

use crate::support::{
    Program, Signal,
    http::{Http, status},
    run,
    server::ClosedPort,
    wait_for,
};

const READY: &str = "file:///dev/null";
const MISSING: &str = "file:///none";

#[test]
fn the_command_takes_over_the_process_and_its_exit_code_is_its_own() {
    let mut command = wait_for(&[READY, "--", "/bin/sh", "-c", "echo $$; exit 42"]);
    let program = Program::start(&mut command);
    let id = program.id();
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout), (Some(42), format!("{id}\n")));
}

#[test]
fn a_signal_that_ends_the_command_is_its_own() {
    let ended = run(&[READY, "--", "/bin/sh", "-c", "kill -KILL $$"]);
    assert_eq!((ended.code, ended.signal), (None, Some(9)));
}

#[test]
fn the_command_has_the_whole_environment() {
    let variables = [("APP_MODE", "production"), ("EMPTY", ""), ("SIDEKIT_WAIT_FOR_TIMEOUT", "1m")];
    let mut command = wait_for(&[READY, "--", "/usr/bin/env"]);
    let ended = Program::start(command.envs(variables)).end();
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["APP_MODE=production", "EMPTY=", "SIDEKIT_WAIT_FOR_TIMEOUT=1m"]);
}

#[test]
fn the_command_has_the_same_standard_input() {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"skipped, then read by the command\n").unwrap();
    input.rewind().unwrap();
    input.read_exact(&mut [0; 14]).unwrap();
    let mut command = wait_for(&[READY, "--", "/bin/cat"]);
    let ended = Program::start(command.stdin(Stdio::from(input))).end();
    assert_eq!(ended.stdout, "read by the command\n");
}

/// Hangup, interrupt, quit, pipe, terminate: bits of a mask in /proc/PID/status (proc(5))
const HANDLED: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 12 | 1 << 14;

#[test]
fn the_command_has_default_signal_dispositions_but_for_a_hangup_that_was_ignored() {
    // As nohup does: HUP stays ignored. TERM is the stop of every supervisor, and PIPE is reset
    // with it.
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", r#"trap "" HUP PIPE TERM; exec "$0" "$@""#, env!("CARGO_BIN_EXE_wait-for")]);
    shell.args([READY, "--", "/bin/grep", "^Sig[BI]", "/proc/self/status"]);
    let ended = Program::start(&mut shell).end();
    let masks = ended.stdout.lines().map(|line| line.split_once(":\t").unwrap());
    let masks: Vec<_> = masks.map(|(name, mask)| (name, u64::from_str_radix(mask, 16).unwrap() & HANDLED)).collect();
    assert_eq!(masks, [("SigBlk", 0), ("SigIgn", 1)]);
}

#[test]
fn the_command_inherits_no_file_of_ours() {
    let script = ["/bin/sh", "-c", "cd /proc/$$/fd; echo *"];
    let files = |mut command: Command| Program::start(command.env_clear()).end().stdout;
    let mut alone = Command::new(script[0]);
    alone.args(&script[1..]);
    assert_eq!(files(wait_for(&[&[READY, "--"], &script[..]].concat())), files(alone));
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    let ended = run(&[READY, "--", "/none/app"]);
    ended.ended_with(127, r#"reason=not-found what="/none/app" last="no such file or directory"#);
}

#[test]
fn a_command_that_cannot_run_is_126() {
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    run(&[READY, "--", path]).ended_with(126, &format!(r#"reason=cannot-run what="{path}" last="permission denied"#));
}

#[test]
fn the_command_does_not_run_when_the_wait_ends_otherwise() {
    let command = ["--", "/bin/echo", "ran"];
    let refusing = Http::start(|_| status("403 Forbidden"));
    let refused = refusing.url("/#header=Authorization: x");
    for (code, target) in [(124, MISSING), (77, &refused), (64, "odd://")] {
        for extra in [&["--timeout", "300ms", target][..], &["--run-anyway", "--timeout", "300ms", target]] {
            let anyway = code == 124 && extra[0] == "--run-anyway";
            let ended = run(&[extra, &command].concat());
            let expected = if anyway { (Some(0), "ran\n") } else { (Some(code), "") };
            assert_eq!((ended.code, ended.stdout.as_str()), expected, "{ended:#?}");
        }
    }
}

#[test]
fn who_is_told_to_stop_does_not_start_the_command() {
    let port = ClosedPort::new();
    let mut program = Program::start(&mut wait_for(&["--run-anyway", &port.url(), "--", "/bin/echo", "ran"]));
    program.wait_for_message("not ready");
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(143), ""));
}

#[test]
fn waiting_can_be_switched_off() {
    for (value, expected) in [("1", (Some(0), "ran\n")), ("true", (Some(0), "ran\n")), ("0", (Some(124), ""))] {
        let mut command = wait_for(&["--timeout", "300ms", MISSING, "--", "/bin/echo", "ran"]);
        let ended = Program::start(command.env("SIDEKIT_WAIT_FOR_DISABLED", value)).end();
        assert_eq!((ended.code, ended.stdout.as_str()), expected, "{value}");
    }
    let ended = run(&["--disabled"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.message("waiting is disabled");
}

#[test]
fn without_waiting_targets_are_read_and_their_files_are_not_needed() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("targets.yaml");
    let config = config.to_str().unwrap();
    let named = "https://api/#ca=/none/ca&cert=/none/cert&key=/none/key&token-file=/none/token";
    fs::write(config, format!("targets: [\"{named}\", {{url: \"mysql://u@db\", password-file: /none}}]")).unwrap();
    let ended = run(&["--disabled", "--output", "json", "--config", config, named, "file:///none"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let json = ended.json();
    let labels: Vec<_> =
        json["targets"].as_array().unwrap().iter().map(|row| row["target"].as_str().unwrap()).collect();
    assert_eq!(labels, ["https://api/", "file:///none", "https://api/", "mysql://db"]);
    // A fault is one in both places.
    assert_eq!(run(&["--disabled", "tcp://db"]).code, Some(64));
    fs::write(config, "targets: [\"tcp://db\"]").unwrap();
    assert_eq!(run(&["--disabled", "--config", config]).code, Some(78));
}
