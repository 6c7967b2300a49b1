//! Commands as a container starts them.

use std::{ffi::OsStr, process::Command};

/// A program with these arguments and nothing in its environment
pub fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command
}
