//! The only exit codes, and the grammar of a helper's last line.
//!
//! Users write `podFailurePolicy` and `restartPolicyRules` (KEP-5307) against these numbers, so
//! they are an interface.

use std::{ffi::OsString, fmt, process::ExitCode, time::Duration};

use crate::signal::Signal;

/// The end of a helper; the numbers follow sysexits(3), timeout(1) and the shell
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The work is done; a sidecar drained after a stop signal
    Done,
    /// A failure that no other variant names
    Failed,
    /// A bad flag, variable or target
    Usage,
    /// Input that cannot be right
    Data,
    /// A dependency refused for good
    Unavailable,
    /// A panic or a broken invariant of ours
    Bug,
    /// A disk or volume error
    Io,
    /// A sidecar stopped at its drain deadline with work undelivered
    Unfinished,
    /// Authentication or permission refused
    Denied,
    /// A wrong configuration file
    Config,
    /// The helper's own `--timeout` passed
    TimedOut,
    /// The command after `--` can't be run
    CannotRun,
    /// The command after `--` does not exist
    NotFound,
    /// A task stopped by a signal before its work was done; any helper at the second signal.
    /// With 0, Kubernetes would start the pod on unfinished work (KEP-3329).
    Stopped(Signal),
}

/// A row of the table of exit codes, as every README prints it
pub struct Row {
    /// The number, or the rule that gives it
    pub code: &'static str,
    /// The word after `reason=`
    pub reason: &'static str,
    /// The reason for the code
    pub meaning: &'static str,
    /// Whether the same run can succeed later without a change of its settings
    pub try_again: &'static str,
}

/// All exit codes, in the order of their numbers
pub const TABLE: [Row; 14] = [
    row("0", "done", "the work is done; a sidecar drained after a stop signal", "-"),
    row("1", "failed", "a failure that no other row names", "maybe"),
    row("64", "usage", "bad flag, bad variable, bad target", "no"),
    row("65", "data", "input that cannot be right: wrong digest, unparsable token, bad template", "no"),
    row("69", "unavailable", "a dependency refused for good", "maybe"),
    row("70", "bug", "a panic or a broken invariant of ours", "maybe"),
    row("74", "io", "disk or volume error", "yes"),
    row("75", "unfinished", "stopped at the drain deadline with work undelivered", "yes"),
    row("77", "denied", "authentication or permission refused", "no"),
    row("78", "config", "a wrong configuration file", "no"),
    row("124", "timed-out", "the helper's own `--timeout` passed", "yes"),
    row("126", "cannot-run", "the command after `--` cannot be run", "no"),
    row("127", "not-found", "the command after `--` does not exist", "no"),
    row(
        "128+n",
        "stopped",
        "a task stopped by signal n before its work was done; any helper at the second signal",
        "yes",
    ),
];

const fn row(code: &'static str, reason: &'static str, meaning: &'static str, try_again: &'static str) -> Row {
    Row { code, reason, meaning, try_again }
}

impl Exit {
    /// The exit status of the process
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::Io => 74,
            Self::Unfinished => 75,
            Self::Denied => 77,
            Self::Config => 78,
            Self::TimedOut => 124,
            Self::CannotRun => 126,
            Self::NotFound => 127,
            Self::Stopped(signal) => 128 + signal.number(),
        }
    }

    /// The word after `reason=`
    pub fn reason(self) -> &'static str {
        let code = self.code().to_string();
        TABLE.iter().find(|row| row.code == code).map_or("stopped", |row| row.reason)
    }

    /// An error that ends the helper with this code when it reaches `main`
    pub fn because(self, message: impl Into<String>) -> anyhow::Error {
        Fault { exit: self, message: message.into() }.into()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error with an exit code; made by [`Exit::because`]
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Fault {
    exit: Exit,
    message: String,
}

/// The end of a helper: its code, and the content of its last line
#[derive(Debug)]
pub struct End {
    /// The code
    pub exit: Exit,
    /// The thing that was worked on, such as `tcp://db:5432`
    pub what: Option<String>,
    /// The last error about it
    pub last: Option<String>,
    /// The number of attempts
    pub attempts: Option<u64>,
    /// The command that replaces the helper, also when `exit` is a failure; its first word is the program
    pub become_command: Vec<OsString>,
    /// The user that the command runs as, without any privilege; `None` changes nothing
    pub become_user: Option<User>,
}

/// The user and the group that a command runs as
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Real, effective and saved user ID
    pub user: u32,
    /// Real, effective and saved group ID
    pub group: u32,
}

impl From<Exit> for End {
    fn from(exit: Exit) -> Self {
        Self { exit, what: None, last: None, attempts: None, become_command: Vec::new(), become_user: None }
    }
}

impl From<anyhow::Error> for End {
    /// The chain of causes is printed once, here; the innermost [`Exit::because`] gives the code.
    fn from(error: anyhow::Error) -> Self {
        let fault = error.chain().filter_map(|cause| cause.downcast_ref::<Fault>()).last();
        let exit = fault.map_or(Exit::Failed, |fault| fault.exit);
        Self { last: Some(format!("{error:#}")), ..exit.into() }
    }
}

impl End {
    /// The line that closes the log and the termination message: `code=69 reason=unavailable
    /// what="tcp://db:5432" last="connection refused" attempts=17 elapsed=60s`
    pub(crate) fn line(&self, elapsed: Duration) -> String {
        use fmt::Write as _;
        let mut line = format!("code={} reason={}", self.exit.code(), self.exit.reason());
        for (key, value) in [("what", &self.what), ("last", &self.last)] {
            if let Some(value) = value {
                // Debug quoting escapes line ends, so that a server's text cannot begin a second
                // line.
                let _ = write!(line, " {key}={value:?}");
            }
        }
        if let Some(attempts) = self.attempts {
            let _ = write!(line, " attempts={attempts}");
        }
        let _ = write!(line, " elapsed={}", crate::units::elapsed(elapsed));
        line
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn every_code_stands_in_the_table() {
        let exits = [
            (Exit::Done, 0, "done"),
            (Exit::Failed, 1, "failed"),
            (Exit::Usage, 64, "usage"),
            (Exit::Data, 65, "data"),
            (Exit::Unavailable, 69, "unavailable"),
            (Exit::Bug, 70, "bug"),
            (Exit::Io, 74, "io"),
            (Exit::Unfinished, 75, "unfinished"),
            (Exit::Denied, 77, "denied"),
            (Exit::Config, 78, "config"),
            (Exit::TimedOut, 124, "timed-out"),
            (Exit::CannotRun, 126, "cannot-run"),
            (Exit::NotFound, 127, "not-found"),
            (Exit::Stopped(Signal::Term), 143, "stopped"),
        ];
        for ((exit, code, reason), row) in exits.into_iter().zip(&TABLE) {
            assert_eq!((exit.code(), exit.reason()), (code, reason));
            assert_eq!(row.reason, reason);
        }
        assert_eq!(Exit::Stopped(Signal::Int).code(), 130);
        assert_eq!(Exit::Stopped(Signal::Quit).code(), 131);
    }

    #[test]
    fn the_last_line_keeps_its_grammar_whatever_was_said() {
        let end = End {
            what: Some("tcp://db:5432".into()),
            last: Some("said \"no\"\nand left".into()),
            attempts: Some(17),
            ..Exit::Unavailable.into()
        };
        assert_eq!(
            end.line(Duration::from_secs(60)),
            r#"code=69 reason=unavailable what="tcp://db:5432" last="said \"no\"\nand left" attempts=17 elapsed=60s"#
        );
    }

    #[test]
    fn an_error_keeps_its_code_under_its_context() {
        let error = Err::<(), _>(Exit::Io.because("disk full")).context("cannot save").unwrap_err();
        let end = End::from(error);
        assert_eq!((end.exit, end.last.as_deref()), (Exit::Io, Some("cannot save: disk full")));
        assert_eq!(End::from(anyhow::anyhow!("odd")).exit, Exit::Failed);
    }
}
