//! Starts programs, waits for what they say, asks their listeners, and sees them end.

pub(crate) mod http;
pub(crate) mod namespace;
mod program;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

pub(crate) use program::{Ended, Program, send, signal};

/// Far beyond anything that happens on a busy machine, and below lifecycle's own shutdown timeout of 25 s
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How often a state is looked at
const POLL: Duration = Duration::from_millis(5);

/// A path that never exists
pub(crate) const NEVER: &str = "/nowhere/at-all";

/// The test task, with nothing in its environment.
pub(crate) fn task(arguments: &[&str]) -> Command {
    program(env!("CARGO_BIN_EXE_test-task"), arguments)
}

/// The test sidecar on a port that the system chooses, with nothing in its environment.
pub(crate) fn sidecar(arguments: &[&str]) -> Command {
    let mut command = sidecar_command(arguments);
    if !arguments.contains(&"--health-addr") {
        command.args(["--health-addr", "127.0.0.1:0"]);
    }
    command
}

/// The test sidecar's binary with these arguments and no other, for its subcommands.
pub(crate) fn sidecar_command(arguments: &[&str]) -> Command {
    program(env!("CARGO_BIN_EXE_test-sidecar"), arguments)
}

/// Any program, with nothing in its environment.
pub(crate) fn program(path: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(arguments).env_clear();
    command
}

/// Runs a program that ends by itself.
pub(crate) fn end(mut command: Command) -> Ended {
    Program::start(&mut command).end()
}

/// Asks again until there is an answer; a deadline makes it a failure that names what was waited for.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(POLL);
    }
}

/// A FIFO that nobody writes to: who opens it waits. It goes with its directory.
pub(crate) fn fifo() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo").to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (directory, path)
}
