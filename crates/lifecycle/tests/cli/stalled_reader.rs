//! A reader of stderr that stalls: nothing that the helper does waits for it.

use std::{
    fs,
    io::{PipeReader, PipeWriter, Read, pipe},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use harness::{fill_pipe, wait_until_caught};
use serde_json::Value;

use crate::support::{NEVER, http, program, send, sidecar, task, until};

const FORMATS: [&[&str]; 2] = [&["--log-format", "text"], &["--log-format", "json"]];
/// A program whose stderr is a pipe that is read only when the test says so
struct Stalled {
    child: Child,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Stalled {
    /// Starts it with a pipe that is full already.
    fn from_the_start(mut command: Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        fill_pipe(&writer);
        let child = command.stdout(Stdio::null()).stderr(writer.try_clone().unwrap()).spawn().unwrap();
        Self { child, reader, writer }.with_handlers()
    }

    /// Starts it, reads the log up to a line with these words, and then fills the pipe.
    fn after_line(mut command: Command, words: &str) -> (Self, String) {
        let (mut reader, writer) = pipe().unwrap();
        let child = command.stdout(Stdio::null()).stderr(writer.try_clone().unwrap()).spawn().unwrap();
        let line = loop {
            let line = read_line(&mut reader);
            if line.contains(words) {
                break line;
            }
        };
        fill_pipe(&writer);
        (Self { child, reader, writer }.with_handlers(), line)
    }

    fn with_handlers(self) -> Self {
        wait_until_caught(self.child.id(), "TERM");
        self
    }

    fn signal(&self, name: &str) {
        send(self.child.id(), name);
    }

    fn code(&mut self) -> Option<i32> {
        let status = until("the program ends", || self.child.try_wait().unwrap());
        assert_eq!(status.signal(), None, "it ends by itself");
        status.code()
    }

    /// The exit code after one TERM. The rule for a task is 100 ms; the rest is for machines that are busy with tests.
    fn code_after_term(&mut self) -> Option<i32> {
        let start = Instant::now();
        self.signal("TERM");
        let code = self.code();
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        code
    }

    /// Everything in the pipe; the program must have ended.
    fn rest(self) -> String {
        let Self { mut reader, writer, .. } = self;
        drop(writer);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn read_line(reader: &mut PipeReader) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        reader.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn address(line: &str) -> SocketAddr {
    let line: Value = serde_json::from_str(line).unwrap();
    line["address"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_task_ends_at_the_first_signal() {
    for format in FORMATS {
        for busy in [&["--busy"][..], &[]] {
            let mut command = task(&["--after-file", NEVER]);
            command.args(format).args(busy);
            let mut stalled = Stalled::from_the_start(command);
            assert_eq!(stalled.code_after_term(), Some(143), "{format:?} {busy:?}");
        }
        let mut command = task(&["--after-file", NEVER]);
        command.args(format);
        let (mut stalled, _) = Stalled::after_line(command, "starts");
        assert_eq!(stalled.code_after_term(), Some(143), "{format:?}");
    }
}

#[test]
fn a_task_ends_with_its_own_code() {
    for (end, code) in [("io", 74), ("panic", 70), ("done", 0)] {
        let (reader, writer) = pipe().unwrap();
        fill_pipe(&writer);
        let child = task(&["--end", end]).stderr(writer.try_clone().unwrap()).spawn().unwrap();
        let mut stalled = Stalled { child, reader, writer };
        assert_eq!(stalled.code(), Some(code), "{end}");
    }
}

#[test]
fn a_task_becomes_its_command() {
    let (_reader, writer) = pipe().unwrap();
    fill_pipe(&writer);
    let mut command = task(&["--", "/bin/sh", "-c", "exit 7"]);
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(7));
}

#[test]
fn a_sidecar_drains_keeps_its_deadline_and_heeds_a_second_signal() {
    for format in FORMATS {
        let with_format = |arguments: &[&str]| {
            let mut command = sidecar(arguments);
            command.args(format);
            command
        };
        let mut stalled = Stalled::from_the_start(with_format(&[]));
        assert_eq!(stalled.code_after_term(), Some(0), "{format:?}");

        let (mut stalled, _) = Stalled::after_line(with_format(&[]), "health listener is up");
        assert_eq!(stalled.code_after_term(), Some(0), "{format:?}");

        let stuck = ["--stuck-batches", "3", "--shutdown-timeout", "200ms"];
        let (mut stalled, _) = Stalled::after_line(with_format(&stuck), "health listener is up");
        assert_eq!(stalled.code_after_term(), Some(75), "{format:?}");

        let stuck = ["--stuck-batches", "3", "--shutdown-timeout", "1h"];
        let (mut stalled, _) = Stalled::after_line(with_format(&stuck), "health listener is up");
        let code = until("a second signal ends it", || {
            stalled.signal("TERM");
            stalled.child.try_wait().unwrap()
        });
        assert_eq!(code.code(), Some(143), "{format:?}");
    }
}

#[test]
fn a_probe_and_a_usage_error_answer_with_their_code() {
    for (arguments, code) in [(&["probe", "--health-addr", "127.0.0.1:1"][..], 1), (&["--nope"], 64)] {
        let (_reader, writer) = pipe().unwrap();
        fill_pipe(&writer);
        let mut command = program(env!("CARGO_BIN_EXE_test-sidecar"), arguments);
        assert_eq!(command.stderr(writer).status().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn lines_that_do_not_fit_are_counted_and_the_rest_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    let greeting = |number: u32| format!("greeting: '{number} {}'\n", "x".repeat(200_000));
    fs::write(&file, greeting(0)).unwrap();
    let command = sidecar(&["--config", file.to_str().unwrap(), "--log-format", "json"]);
    let (mut stalled, line) = Stalled::after_line(command, "health listener is up");
    let address = address(&line);
    for number in 1..=6 {
        // Whole at once: half of a file would be a configuration of its own.
        let new = directory.path().join("new.yaml");
        fs::write(&new, greeting(number)).unwrap();
        fs::rename(&new, &file).unwrap();
        let count = format!(" {number}");
        until("the new greeting is accepted", || {
            let metrics = http::get(address, "/metrics").body;
            let is_it = |line: &str| line.contains("result=\"accepted\"") && line.ends_with(&count);
            metrics.lines().any(is_it).then_some(())
        });
    }
    // The reader continues: the queued lines come out, and then the count of the dropped ones.
    loop {
        let line = read_line(&mut stalled.reader);
        if line.contains("log lines were dropped") {
            let line = line.trim_start_matches('x');
            let line: Value = serde_json::from_str(line).unwrap();
            assert!((1..=6).contains(&line["dropped"].as_u64().unwrap()), "{line}");
            break;
        }
    }
    assert_eq!(stalled.code_after_term(), Some(0));
    assert!(stalled.rest().contains("stopped; nothing is left to do"), "the log goes on");
}
