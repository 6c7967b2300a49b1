//! Starts log-forwarder, writes numbered lines for it, and sees what has become of each.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) use harness::{Ended, Program, Signal, http, until};
use serde_json::Value;
use tempfile::TempDir;

/// A directory for logs and one for state; gone when dropped
pub(crate) struct Pod {
    directory: TempDir,
}

impl Pod {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        Self { directory }
    }

    /// One whose first 100 lines a run has delivered that is over
    #[track_caller]
    pub(crate) fn with_a_past() -> (Self, Writer) {
        let pod = Self::new();
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(100);
        let program = pod.start(&["--output", &pod.file_output()]);
        pod.wait_for_lines(100);
        stop(program);
        (pod, writer)
    }

    /// A name beside the logs
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A name among the logs
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.beside("logs").join(name)
    }

    /// log-forwarder on `app.log`, with a state directory and these arguments more.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0"]);
        command.arg("--input").arg(self.log("app.log")).arg("--state-dir").arg(self.beside("state"));
        command.args(["--quiet-period", "200ms"]).args(arguments);
        command
    }

    #[track_caller]
    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        start(&mut self.command(arguments))
    }

    /// Waits until the first look is over: whatever happens from here on is seen, or told by an event.
    #[track_caller]
    pub(crate) fn wait_for_checkpoint(&self) {
        until("the first checkpoint is there", || self.checkpoint().map(drop));
    }

    /// The checkpoint, once there is one
    pub(crate) fn checkpoint(&self) -> Option<String> {
        fs::read_to_string(self.beside("state/checkpoint.json")).ok()
    }

    /// Waits until the checkpoint has all that `out` holds, so that a restart repeats nothing of it.
    #[track_caller]
    pub(crate) fn wait_until_saved(&self) {
        until("all deliveries are saved", || {
            let checkpoint = serde_json::from_str::<Value>(&self.checkpoint()?).ok()?;
            let cursors = checkpoint["files"].as_array()?.iter().filter_map(|file| file["cursors"].as_array());
            let saved: u64 = cursors.flatten().filter_map(|cursor| cursor["position"].as_u64()).sum();
            (saved == self.out().len() as u64).then_some(())
        });
    }

    /// `file://` of `out`, beside the logs
    pub(crate) fn file_output(&self) -> String {
        format!("file://{}", self.beside("out").display())
    }

    /// What `out` holds
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(self.beside("out")).unwrap_or_default()
    }

    /// Waits until `out` holds this number of lines.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, count: usize) {
        until(&format!("{count} lines are there"), || (self.out().lines().count() >= count).then_some(()));
    }
}

/// Waits until a metric has this value for one of its labels.
#[track_caller]
pub(crate) fn wait_for_metric(address: SocketAddr, name: &str, value: usize) {
    let is_there = |line: &str| line.contains(name) && line.ends_with(&format!(" {value}"));
    until(&format!("{name} is {value}"), || http::get(address, "/metrics").body.lines().any(is_there).then_some(()));
}

/// Starts it, and waits until signals are heard.
#[track_caller]
pub(crate) fn start(command: &mut Command) -> Program {
    let mut program = Program::start(command);
    program.wait_for_message("log-forwarder starts");
    program
}

/// The next connection
#[track_caller]
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let stream = until("somebody connects", || listener.accept().ok()).0;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(harness::DEADLINE)).unwrap();
    stream
}

/// log-forwarder with these arguments and nothing else in its environment than that lines wait for no others
pub(crate) fn log_forwarder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-forwarder"));
    command.args(arguments).env_clear().env("SIDEKIT_LOG_FORWARDER_LINGER", "0s");
    command
}

/// Tells it to stop, and waits for its end, which must be a good one with a ledger that adds up.
#[track_caller]
pub(crate) fn stop(program: Program) -> Ended {
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_adds_up(&ledger(&ended));
    ended
}

/// The ledger of the last lines, by name
#[track_caller]
pub(crate) fn ledger(ended: &Ended) -> BTreeMap<String, u64> {
    let mut lines = ended.log.iter().rev().map(harness::Line::message);
    let line = lines.find(|line| line.contains("ledger")).unwrap_or_else(|| panic!("{ended:#?}"));
    let words = line.split([' ', '"']).filter_map(|word| word.split_once('='));
    words.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
}

#[track_caller]
pub(crate) fn assert_adds_up(ledger: &BTreeMap<String, u64>) {
    let sum = ["delivered", "rejected", "dropped", "lost", "in-flight"].map(|name| ledger[name]).iter().sum::<u64>();
    assert_eq!(ledger["read"], sum, "{ledger:?}");
}

/// Writes numbered lines, each of which says which it is
pub(crate) struct Writer {
    path: PathBuf,
    file: File,
    next: u64,
}

impl Writer {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), file: append(path), next: 0 }
    }

    pub(crate) fn write(&mut self, count: u64) {
        let mut text = String::new();
        for number in self.next..self.next + count {
            text += &line(number);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).unwrap();
        self.next += count;
    }

    /// The next line has this number.
    pub(crate) fn skip(&mut self, next: u64) {
        self.next = next;
    }

    /// How many lines there are
    pub(crate) fn written(&self) -> u64 {
        self.next
    }

    /// Renames the file as logrotate does it, each older one to the next number, and begins a new one.
    pub(crate) fn rotate(&mut self, keep: u32) {
        let name = |number: u32| PathBuf::from(format!("{}.{number}", self.path.display()));
        for number in (1..keep).rev() {
            let _ = fs::rename(name(number), name(number + 1));
        }
        fs::rename(&self.path, name(1)).unwrap();
        self.file = append(&self.path);
    }

    /// Renames the file to its name with this behind, and begins a new one.
    pub(crate) fn move_away(&mut self, suffix: &str) {
        fs::rename(&self.path, format!("{}{suffix}", self.path.display())).unwrap();
        self.file = append(&self.path);
    }

    /// Copies the file to its name with this behind, and truncates it.
    pub(crate) fn copy_and_truncate(&mut self, suffix: &str) {
        fs::copy(&self.path, format!("{}{suffix}", self.path.display())).unwrap();
        self.truncate();
    }

    pub(crate) fn truncate(&mut self) {
        self.file.set_len(0).unwrap();
    }
}

pub(crate) fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// A line that says which it is, of a usual length
pub(crate) fn line(number: u64) -> String {
    format!("line {number:08} GET /\"quoted\"\\path HTTP/1.1 200 {}", "x".repeat((number % 97) as usize))
}

/// The number of a line
pub(crate) fn number(text: &str) -> Option<u64> {
    text.get(5..13).and_then(|digits| digits.parse().ok())
}

/// Lines of a file output but for those that a kill has cut off, which came again
pub(crate) fn whole_lines(out: &str) -> impl Iterator<Item = &str> {
    out.lines().filter(|text| match number(text) {
        Some(number) => *text == line(number) || !line(number).starts_with(text),
        None => !line(0).starts_with(text.get(..5).unwrap_or(text)),
    })
}

/// Whether every line from 0 is there at least once, whole, and in order but for what came again.
#[track_caller]
pub(crate) fn assert_all_there<'a>(lines: impl Iterator<Item = &'a str>, count: u64) {
    let numbers: Vec<u64> = lines
        .map(|text| {
            let number = number(text).unwrap_or_else(|| panic!("no number in {text:?}"));
            assert_eq!(text, line(number));
            number
        })
        .collect();
    let mut next = 0;
    for number in &numbers {
        assert!(*number <= next, "line {next} is missing before {number} of {count}");
        next = next.max(number + 1);
    }
    assert_eq!(next, count, "the last lines are missing");
}

/// The messages of NDJSON objects
pub(crate) fn messages(text: &str) -> Vec<String> {
    let object = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(|line| object(line)["message"].as_str().unwrap().to_owned()).collect()
}
