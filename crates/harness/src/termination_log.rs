//! The termination message, in a container that Kubernetes has given a file for it.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::{ended::Ended, namespace::unshare, program::Program};

/// The content of the file before a program starts
pub const UNTOUCHED: &str = "the content before the start";

/// A directory that a command finds as its `/dev`, with nothing in it but `termination-log`
pub struct TerminationLog(TempDir);

impl TerminationLog {
    /// A file that every user may write, as the kubelet makes it.
    pub fn new() -> Self {
        let log = Self(TempDir::new().unwrap());
        fs::set_permissions(log.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(log.file(), UNTOUCHED).unwrap();
        fs::set_permissions(log.file(), fs::Permissions::from_mode(0o666)).unwrap();
        log
    }

    /// The command in a mount namespace where `/dev` is this directory.
    ///
    /// `unshare` and the shell replace themselves with the command, so the command keeps their process ID.
    pub fn command(&self, inside: &Command) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"mount --bind "$0" /dev && exec "$@""#]).arg(self.0.path());
        shell.arg(inside.get_program()).args(inside.get_args());
        shell.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
        unshare(&["--mount"], &shell)
    }

    /// The present content of the file
    pub fn read(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("termination-log")
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
