//! log-forwarder on the logs of one test, and its ledger of every byte.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::process::{Process, helper};

/// A directory for logs and state, removed when dropped
pub struct Logs(TempDir);

/// Bytes by fate (read, delivered, lost, …), and the number of delivered lines
pub type Ledger = BTreeMap<String, u64>;

impl Logs {
    /// An empty directory
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    /// The path of a name beside the state
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes this number of numbered lines to `app.log`.
    pub fn write_lines(&self, count: usize) {
        self.write(0..count);
    }

    /// Writes the lines with these numbers to `app.log`.
    pub fn write(&self, numbers: Range<usize>) {
        self.append(&numbers.fold(String::new(), |text, number| text + &line(number) + "\n"));
    }

    /// Writes a text to `app.log`.
    pub fn append(&self, text: &str) {
        let mut file = File::options().append(true).create(true).open(self.join("app.log")).expect("a log");
        file.write_all(text.as_bytes()).expect("a log");
    }

    /// Forwards `app.log`.
    pub fn forward(&self, arguments: &[&str]) -> Process {
        self.forward_from(&self.join("app.log"), arguments)
    }

    /// Forwards the files that match; returns once signals are handled.
    pub fn forward_from(&self, input: &Path, arguments: &[&str]) -> Process {
        let mut command = helper("log-forwarder");
        command.args(["--health-addr", "127.0.0.1:0"]).arg("--input").arg(input);
        command.arg("--state-dir").arg(self.join("state")).args(arguments);
        let mut forwarder = Process::start(command);
        forwarder.says("log-forwarder starts");
        forwarder
    }

    /// The content of a file; empty when it does not exist
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_default()
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self::new()
    }
}

/// A line of usual length that contains its number
pub fn line(number: usize) -> String {
    format!("line {number:08} GET /\"quoted\"\\path HTTP/1.1 200 {}", "x".repeat(number % 97))
}

/// Fails unless the lines have the numbers from 0 to `count`, each once and in order.
pub fn assert_lines<T: AsRef<str>>(lines: &[T], count: usize) {
    for (number, text) in lines.iter().enumerate() {
        assert_eq!(text.as_ref(), line(number));
    }
    assert_eq!(lines.len(), count);
}

/// Stops log-forwarder, and reads its ledger. The sum of all fates must equal the bytes read.
pub fn finish(forwarder: Process) -> Ledger {
    forwarder.signal("TERM");
    let end = forwarder.ends_with(0);
    let told = end.log.lines().rev().find(|line| line.contains("ledger")).expect("a ledger");
    let words = told.split([' ', '"']).filter_map(|word| word.split_once('='));
    let ledger: Ledger = words.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect();
    let sum: u64 = ["delivered", "rejected", "lost", "in-flight"].map(|name| ledger[name]).iter().sum();
    assert_eq!(ledger["read"], sum, "{told}");
    ledger
}
