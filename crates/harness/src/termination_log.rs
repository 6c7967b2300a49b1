//! The termination message, in a container that Kubernetes has given a file for it.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use tempfile::NamedTempFile;

use crate::{ended::Ended, namespace::unshare, program::Program};

/// The content of the file before a program starts
pub const UNTOUCHED: &str = "the content before the start";

/// A file that a command finds at `/dev/termination-log`
pub struct TerminationLog(NamedTempFile);

impl TerminationLog {
    /// A file that every user may write, as the kubelet makes it.
    pub fn new() -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(file.path(), UNTOUCHED).unwrap();
        Self(file)
    }

    /// The command in a mount namespace where `/dev/termination-log` is this file.
    pub fn command(&self, inside: &Command) -> Command {
        with_termination_log(&self.0.path().display().to_string(), inside)
    }

    /// The present content of the file
    pub fn read(&self) -> String {
        fs::read_to_string(self.0.path()).unwrap()
    }
}

impl Default for TerminationLog {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a command to its end, and reads the termination message that it leaves.
#[track_caller]
pub fn end_with_message(inside: &Command) -> (Ended, String) {
    let log = TerminationLog::new();
    let ended = Program::start(&mut log.command(inside)).end();
    (ended, log.read())
}

/// The command in a mount namespace where `/dev/termination-log` is the file at this path.
///
/// `unshare` and the shell replace themselves with the command, so the command keeps their process ID. `/dev` has nothing
/// else in it.
pub fn with_termination_log(path: &str, inside: &Command) -> Command {
    let script = r#"
        set -e
        mount -t tmpfs none /dev
        : > /dev/termination-log
        mount --bind "$0" /dev/termination-log
        exec "$@"
    "#;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, path]).arg(inside.get_program()).args(inside.get_args());
    shell.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
    unshare(&["--mount"], &shell)
}
