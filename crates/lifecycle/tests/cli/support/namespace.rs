//! The test programs as PID 1, and with a termination log.

use std::process::Command;

pub(crate) use harness::as_pid_one;

use super::Program;

/// The command as PID 1 of a new PID namespace, and the process ID that it has outside.
#[track_caller]
pub(crate) fn start_as_pid_one(inside: &Command) -> (Program, u32) {
    let program = harness::start_as_pid_one(inside);
    let id = harness::id_of_pid_one(&program);
    (program, id)
}
