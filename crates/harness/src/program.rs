//! A program that runs: its log line by line, its signals, its end.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::until::{DEADLINE, POLL};

/// A program that runs; it dies with this
pub struct Program {
    child: Child,
    lines: Receiver<Value>,
    log: Vec<Value>,
    stdout: Option<JoinHandle<String>>,
}

/// What is left of a program
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` when a signal ended it
    pub code: Option<i32>,
    /// The signal that ended it
    pub signal: Option<i32>,
    /// All that it printed
    pub stdout: String,
    /// stderr line by line: objects, and strings where a line is no object
    pub log: Vec<Value>,
}

impl Program {
    /// Starts it, with its log and its output read along.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program to start");
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let read = |line: String| serde_json::from_str(&line).unwrap_or(Value::String(line));
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| sender.send(read(line)))
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        Self { child, lines, log: Vec::new(), stdout: Some(stdout) }
    }

    /// Its process ID
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of the log with exactly this message.
    #[track_caller]
    pub fn wait_for_message(&mut self, message: &str) -> Value {
        self.wait_for_line(message, |line| line["message"] == message)
    }

    /// The next line that tells this reason.
    #[track_caller]
    pub fn wait_for_reason(&mut self, reason: &str) -> Value {
        self.wait_for_line(reason, |line| line["reason"] == reason)
    }

    #[track_caller]
    fn wait_for_line(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                panic!("no line with {what:?} after {:#?}", self.log);
            };
            self.log.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// The number of open files, and that of threads.
    pub fn files_and_threads(&self) -> (usize, usize) {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", self.id())).unwrap().count();
        (count("fd"), count("task"))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            self.log.extend(self.lines.try_iter());
            assert!(start.elapsed() < DEADLINE, "the program does not end: {:#?}", self.log);
            thread::sleep(POLL);
        };
        let stdout = self.stdout.take().unwrap().join().unwrap();
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        Ended { code: status.code(), signal: status.signal(), stdout, log }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of ours.
#[track_caller]
pub fn send(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).unwrap();
    kill_process(id, signal).unwrap();
}

impl Ended {
    /// All lines with exactly this message.
    pub fn messages(&self, message: &str) -> Vec<&Value> {
        self.log.iter().filter(|line| line["message"] == message).collect()
    }

    /// The only line with this message.
    #[track_caller]
    pub fn message(&self, message: &str) -> &Value {
        let lines = self.messages(message);
        assert_eq!(lines.len(), 1, "lines with {message:?} in {self:#?}");
        lines[0]
    }

    /// The last line on stderr, whether it is JSON or as it is.
    pub fn last_line(&self) -> &str {
        let line = self.log.last().unwrap_or(&Value::Null);
        line["message"].as_str().or(line.as_str()).unwrap_or_default()
    }

    /// Whether it ended with this code, and whether its last line says so and goes on with these words.
    #[track_caller]
    pub fn ended_with(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.last_line().starts_with(&format!("code={code} {words}")), "{words} in {self:#?}");
    }

    /// Everything it wrote, to search for what must not be there.
    pub fn everything(&self) -> String {
        self.log.iter().fold(self.stdout.clone(), |text, line| text + &line.to_string())
    }

    /// The object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
