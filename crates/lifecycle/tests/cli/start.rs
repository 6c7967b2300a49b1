//! A stop signal that comes while a program starts, or while it turns into its command: heard in every case.

use std::{process::Command, thread, time::Duration};

use crate::support::{NEVER, Program, sidecar, task};

/// Sends TERM at ever later moments of a program's first milliseconds, and looks at each end.
fn stopped_while_it_starts(command: impl Fn() -> Command, allowed: &[Option<i32>]) {
    for step in 0..100 {
        let program = Program::start(&mut command());
        // Not a wait for anything: each run is to be hit elsewhere.
        thread::sleep(Duration::from_micros(step * 50));
        program.signal("TERM");
        let ended = program.end();
        // Before `main` the signal's default action holds: death by it, without a code.
        let by_default = ended.code.is_none() && ended.signal == Some(15);
        assert!(by_default || allowed.contains(&ended.code), "step {step}: {ended:#?}");
    }
}

#[test]
fn a_task_is_stopped_while_it_starts() {
    stopped_while_it_starts(|| task(&["--after-file", NEVER]), &[Some(143)]);
}

#[test]
fn a_sidecar_is_stopped_while_it_starts() {
    stopped_while_it_starts(|| sidecar(&[]), &[Some(0)]);
}

#[test]
fn a_task_is_stopped_while_it_turns_into_its_command() {
    // `sleep` dies of TERM by default; a signal that gets lost in between leaves it asleep.
    stopped_while_it_starts(|| task(&["--", "/bin/sleep", "1000"]), &[Some(143)]);
}
