//! A program that runs: its log line by line, its signals, its end.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{DEADLINE, until};

/// A program that runs; it dies with this
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    stdout: Option<JoinHandle<String>>,
}

/// What is left of a program
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) log: Vec<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program to start");
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        Self { child, lines, log: Vec::new(), stdout: Some(stdout) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of the log that holds these words.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, words: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no line with {words:?} after {:#?}", self.log);
            };
            self.log.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Where the `health` or the `admin` listener is, as the log tells it.
    #[track_caller]
    pub(crate) fn address(&mut self, door: &str) -> SocketAddr {
        let line = self.wait_for_line(&format!("{door} listener is up"));
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = until("the program ends", || self.child.try_wait().unwrap());
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

impl Ended {
    /// The message of the last line on stderr, whether it is JSON or as it is.
    pub(crate) fn last_line(&self) -> String {
        let line = self.log.last().map_or("", String::as_str);
        match serde_json::from_str::<Value>(line) {
            Ok(line) => line["message"].as_str().unwrap_or_default().to_owned(),
            Err(_) => line.to_owned(),
        }
    }

    /// Whether the last line begins with these words; the log when not.
    #[track_caller]
    pub(crate) fn ended_with(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.last_line().starts_with(&format!("code={code} {words}")), "{self:#?}");
    }
}

/// Sends a signal to a process that is there.
#[track_caller]
pub(crate) fn signal(id: u32, name: &str) {
    assert!(send(id, name), "cannot send {name} to {id}");
}

/// Sends a signal; whether there was a process to get it.
pub(crate) fn send(id: u32, name: &str) -> bool {
    let signal: Signal = format!("SIG{name}").parse().unwrap();
    kill(Pid::from_raw(id.try_into().unwrap()), signal).is_ok()
}
