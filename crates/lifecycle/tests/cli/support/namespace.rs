//! Programs in namespaces of their own, as in a pod.
//!
//! Without root this needs user namespaces; where they are denied, the tests fail and say so.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use super::{Program, until};

/// The command behind `unshare`.
fn unshare(flags: &[&str], inside: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.env_clear();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(flags).arg("--").arg(inside.get_program()).args(inside.get_args());
    command
}

/// The command as PID 1 of a new PID namespace.
pub(crate) fn as_pid_one(inside: &Command) -> Command {
    unshare(&["--pid", "--fork", "--kill-child"], inside)
}

/// The same, running, and the ID that it has outside.
#[track_caller]
pub(crate) fn start_as_pid_one(inside: &Command) -> (Program, u32) {
    let program = Program::start(&mut as_pid_one(inside));
    let children = format!("/proc/{0}/task/{0}/children", program.id());
    let id = until("unshare has a child (are user namespaces denied?)", || {
        fs::read_to_string(&children).ok()?.trim().parse().ok()
    });
    (program, id)
}

/// The command in a new mount namespace, where `/dev/termination-log` is this file.
pub(crate) fn with_termination_log(path: &str, inside: &Command) -> Command {
    let script = r#"
        set -e
        mount -t tmpfs none /dev
        touch /dev/termination-log
        mount --bind "$0" /dev/termination-log
        exec "$@"
    "#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, path]).arg(inside.get_program()).args(inside.get_args());
    unshare(&["--mount"], &command)
}
