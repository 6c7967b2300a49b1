//! A stop signal that comes while a program starts, or while it turns into its command: heard in every case.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use harness::wait_until_caught;

use crate::support::{Ended, NEVER, Program, fifo, sidecar, task};

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

/// Sends TERM while a parser waits for a file to open.
fn stopped_while_it_reads_its_settings(command: Command) -> Ended {
    let program = Program::start(&mut { command });
    wait_until_caught(program.id(), "TERM");
    program.signal("TERM");
    let since = Instant::now();
    let ended = program.end();
    harness::assert_at_once(since);
    ended
}

#[test]
fn a_task_is_stopped_while_it_reads_its_settings() {
    let (_directory, fifo) = fifo();
    stopped_while_it_reads_its_settings(task(&["--opened", &fifo])).ended_with(143, "reason=stopped");
    let mut by_variable = task(&[]);
    by_variable.env("SIDEKIT_TEST_TASK_OPENED", &fifo);
    stopped_while_it_reads_its_settings(by_variable).ended_with(143, "reason=stopped");
}

#[test]
fn a_sidecar_that_reads_its_settings_has_nothing_to_deliver() {
    let (_directory, fifo) = fifo();
    assert_eq!(stopped_while_it_reads_its_settings(sidecar(&["--opened", &fifo])).code, Some(0));
}

mod as_root {
    use std::process::Command;

    use crate::support::{Program, sidecar_command, task};

    #[test]
    fn a_system_without_another_thread_is_named_in_the_last_line() {
        for inside in [task(&[]), task(&["--nonsense"]), sidecar_command(&[]), sidecar_command(&["probe"])] {
            let mut command = Command::new("prlimit");
            command.env_clear().args([
                "--nproc=1",
                "setpriv",
                "--reuid=64321",
                "--regid=64321",
                "--clear-groups",
                "--",
            ]);
            command.arg(inside.get_program()).args(inside.get_args());
            let ended = Program::start(&mut command).end();
            assert_eq!(ended.code, Some(1), "{ended:#?}");
            assert!(ended.everything().contains("signals: Resource temporarily unavailable"), "{ended:#?}");
        }
    }
}
