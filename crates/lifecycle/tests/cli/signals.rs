//! The first stop signal asks, the second insists; HUP and PIPE are heard and end nothing.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{NEVER, Program, end, http, program, sidecar, task, until};

const STOPS: [(&str, i32); 3] = [("TERM", 143), ("INT", 130), ("QUIT", 131)];

fn started(mut command: Command) -> Program {
    let mut program = Program::start(&mut command);
    program.wait_for_line("starts");
    program
}

#[test]
fn a_task_that_is_stopped_early_never_says_0() {
    for (name, code) in STOPS {
        let program = started(task(&["--after-file", NEVER]));
        program.signal(name);
        program.end().ended_with(code, "reason=stopped elapsed=");
    }
}

#[test]
fn a_task_that_never_yields_is_stopped_all_the_same() {
    for (name, code) in STOPS {
        let program = started(task(&["--after-file", NEVER, "--busy"]));
        let start = Instant::now();
        program.signal(name);
        program.end().ended_with(code, "reason=stopped elapsed=");
        // The rule is 100 ms; the rest is for machines that are busy with tests.
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

#[test]
fn a_sidecar_that_is_stopped_and_has_drained_says_0() {
    for (name, _) in STOPS {
        let mut program = started(sidecar(&[]));
        program.signal(name);
        assert!(program.wait_for_line("\"stopping\"").contains(&format!("SIG{name}")));
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.last_line(), "stopped; nothing is left to do");
    }
}

/// Sends a signal again and again until it counts as a second one: those within a second of the first are the same request.
fn insist(program: &mut Program, name: &str) {
    until("a second signal ends it", || {
        program.signal(name);
        (!program.is_running()).then_some(())
    });
}

#[test]
fn a_second_signal_ends_a_draining_sidecar_at_once_and_names_what_is_pending() {
    for (name, code) in STOPS {
        let mut program = started(sidecar(&["--stuck-batches", "1", "--shutdown-timeout", "1h"]));
        http::until_status(program.address("health"), "/startupz", 200);
        let first = Instant::now();
        program.signal("TERM");
        program.wait_for_line("\"stopping\"");
        insist(&mut program, name);
        assert!(first.elapsed() >= Duration::from_millis(900), "{:?}", first.elapsed());
        let last = "a second stop signal came before this was delivered";
        program.end().ended_with(code, &format!("reason=stopped what=\"1 batches\" last={last:?} elapsed="));
    }
}

#[test]
fn one_stop_that_arrives_twice_is_one_request() {
    for _ in 0..10 {
        let program = started(sidecar(&[]));
        program.signal("TERM");
        program.signal("TERM");
        program.signal("INT");
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

#[test]
fn a_second_signal_ends_a_sidecar_whose_thread_is_stuck() {
    let stall = tempfile::NamedTempFile::new().unwrap();
    let path = stall.path().to_str().unwrap();
    let mut program = started(sidecar(&["--bound", "100ms", "--stall-file", path, "--shutdown-timeout", "1h"]));
    http::until_status(program.address("health"), "/livez", 503);
    program.signal("TERM");
    program.wait_for_line("\"stopping\"");
    insist(&mut program, "INT");
    program.end().ended_with(130, "reason=stopped elapsed=");
}

#[test]
fn a_second_signal_to_a_task_ends_it_with_one_of_the_two() {
    for busy in [&["--busy"][..], &[]] {
        let mut command = task(&["--after-file", NEVER]);
        let program = started({
            command.args(busy);
            command
        });
        program.signal("TERM");
        program.signal("INT");
        let ended = program.end();
        assert!(matches!(ended.code, Some(143 | 130)), "{ended:#?}");
    }
}

#[test]
fn hup_and_pipe_end_nobody() {
    for (command, code) in [(task(&["--after-file", NEVER]), 143), (sidecar(&[]), 0)] {
        let program = started(command);
        program.signal("HUP");
        program.signal("PIPE");
        program.signal("TERM");
        assert_eq!(program.end().code, Some(code));
    }
}

#[test]
fn a_burst_of_hups_ends_nobody() {
    let mut program = started(sidecar(&[]));
    let address = program.address("health");
    for _ in 0..50 {
        program.signal("HUP");
    }
    assert_eq!(http::get(address, "/livez").status, 200);
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

/// The task, started by a parent that blocks or ignores signals.
fn started_by_env(flag: &str, command: &[&str]) -> Command {
    let mut flags = vec!["--after-file", NEVER];
    if !command.is_empty() {
        flags = [&["--"], command].concat();
    }
    let inside = task(&flags);
    let mut env = program("/usr/bin/env", &[flag]);
    env.arg(inside.get_program()).args(inside.get_args());
    env
}

#[test]
fn signals_that_were_blocked_before_the_start_are_heard() {
    for (name, code) in STOPS {
        let program = started(started_by_env("--block-signal", &[]));
        program.signal(name);
        assert_eq!(program.end().code, Some(code), "{name}");
    }
}

#[test]
fn signals_that_were_ignored_before_the_start_stay_ignored_and_term_is_heard() {
    for name in ["HUP", "INT", "QUIT"] {
        let program = started(started_by_env("--ignore-signal", &[]));
        program.signal(name);
        program.signal("TERM");
        assert_eq!(program.end().code, Some(143), "{name}");
    }
}

#[test]
fn signals_that_were_ignored_before_the_start_are_ignored_for_the_command() {
    for (ignored, bits) in [("HUP", 0b1), ("INT,QUIT", 0b110), ("HUP,INT,QUIT", 0b111), ("USR1", 1 << 9)] {
        let command = started_by_env(&format!("--ignore-signal={ignored}"), &["/bin/cat", "/proc/self/status"]);
        let status = end(command).stdout;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        // The machine's own parents may ignore others, such as the signals of its C library.
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 0b10_0000_0111, bits, "{ignored}");
    }
}
