//! A program that has ended: its exit code and everything that it wrote.

use std::time::Duration;

use serde_json::Value;

use crate::line::Line;

/// A program that has ended
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` when a signal ended it
    pub code: Option<i32>,
    /// The signal that ended it
    pub signal: Option<i32>,
    /// Everything that it wrote to stdout
    pub stdout: String,
    /// Every line that it wrote to stderr
    pub log: Vec<Line>,
    /// From its start to its end
    pub elapsed: Duration,
}

impl Ended {
    /// All lines with exactly this message.
    pub fn messages(&self, message: &str) -> Vec<&Line> {
        self.log.iter().filter(|line| line["message"] == message).collect()
    }

    /// The only line with this message.
    #[track_caller]
    pub fn message(&self, message: &str) -> &Line {
        let lines = self.messages(message);
        assert_eq!(lines.len(), 1, "lines with {message:?} in {self:#?}");
        lines[0]
    }

    /// The message of the last line on stderr: from JSON, or the line as it is.
    pub fn last_line(&self) -> &str {
        self.log.last().map_or("", Line::message)
    }

    /// Fails unless it ended with this code, and its last line names the code and continues with `rest`.
    #[track_caller]
    pub fn ended_with(&self, code: i32, rest: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.last_line().starts_with(&format!("code={code} {rest}")), "{rest} in {self:#?}");
    }

    /// stdout and stderr in one text, to search for words that must not be there.
    pub fn everything(&self) -> String {
        self.stdout.clone() + &self.log.join("\n")
    }

    /// The JSON value on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
