//! Runs with fewer rights than root's: without some capabilities, or as an ordinary user.

use std::process::Command;

use crate::support::{Ended, Program, fix_perms};

fn start(flags: &[&str], arguments: &[&str]) -> Program {
    let inside = fix_perms(arguments);
    let mut command = Command::new("setpriv");
    command.env_clear().args(flags).arg("--").arg(inside.get_program()).args(inside.get_args());
    Program::start(&mut command)
}

/// Root's, with this set of capabilities as the bound (setpriv(1)), such as `-chown`
pub(super) fn start_without(capabilities: &str, arguments: &[&str]) -> Program {
    start(&[&format!("--bounding-set={capabilities}")], arguments)
}

/// The same, ended.
pub(super) fn without(capabilities: &str, arguments: &[&str]) -> Ended {
    start_without(capabilities, arguments).end()
}

/// As the `restricted` profile has it, with no group but the user's own
pub(super) fn as_user(user: u32, arguments: &[&str]) -> Ended {
    let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
    start(&[&user, &group, "--clear-groups", "--bounding-set=-all", "--no-new-privs"], arguments).end()
}
