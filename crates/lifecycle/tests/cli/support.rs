//! The test programs, and what their tests take from `harness`.

pub(crate) mod namespace;

use std::process::Command;

pub(crate) use harness::{
    DEADLINE, Ended, Program, TerminationLog, UNTOUCHED, command as program, end_with_message, fifo, http, send,
    try_send, until,
};

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

/// The test helper that is a task with `--once`, with nothing in its environment.
pub(crate) fn once(arguments: &[&str]) -> Command {
    program(env!("CARGO_BIN_EXE_test-once"), arguments)
}

/// The test sidecar's binary with these arguments and no other, for its subcommands.
pub(crate) fn sidecar_command(arguments: &[&str]) -> Command {
    program(env!("CARGO_BIN_EXE_test-sidecar"), arguments)
}

/// Runs a program that ends by itself.
#[track_caller]
pub(crate) fn end(mut command: Command) -> Ended {
    Program::start(&mut command).end()
}
