//! Programs in namespaces of their own, as in a pod.
//!
//! Without root this needs user namespaces; where they are denied, the tests fail and say so.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use crate::{program::Program, until::until};

/// The command as PID 1 of a new PID namespace.
#[track_caller]
pub fn start_as_pid_one(inside: &Command) -> Program {
    Program::start(&mut unshare(&["--pid", "--fork", "--kill-child"], inside))
}

/// The ID that PID 1 has outside, while it lives.
#[track_caller]
pub fn id_of_pid_one(program: &Program) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", program.id());
    until("unshare has a child (are user namespaces denied?)", || {
        fs::read_to_string(&children).ok()?.trim().parse().ok()
    })
}

/// Whether this test runs as root
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A command behind `unshare`, with nothing in its environment.
pub fn unshare(flags: &[&str], inside: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.env_clear();
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(flags).arg("--").arg(inside.get_program()).args(inside.get_args());
    command
}
