//! A running program: its log line by line, its listeners, its signals.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::{
    ended::Ended,
    line::Line,
    signal::{Signal, send},
    until::{DEADLINE, until},
};

/// A running program, killed when dropped
pub struct Program {
    child: Child,
    started: Instant,
    lines: Receiver<Line>,
    log: Vec<Line>,
    stdout: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts a program. Threads read its stdout and stderr, so that a full pipe never blocks it.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program to start");
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        Self { child, started: Instant::now(), lines: lines_of(stderr), log: Vec::new(), stdout: Some(stdout) }
    }

    /// Starts a program whose stdout and stderr are one stream. All of it is the log, in the order in which it was written.
    #[track_caller]
    pub fn start_with_one_stream(command: &mut Command) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().expect("a program to start");
        // The command would keep the pipe open after the program's end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { child, started: Instant::now(), lines: lines_of(reader), log: Vec::new(), stdout: None }
    }

    /// Its process ID
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that contains this text.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> Line {
        self.wait_for(text, |line| line.contains(text))
    }

    /// The next line with exactly this message.
    #[track_caller]
    pub fn wait_for_message(&mut self, message: &str) -> Line {
        self.wait_for(message, |line| line["message"] == message)
    }

    /// The next line with exactly this reason.
    #[track_caller]
    pub fn wait_for_reason(&mut self, reason: &str) -> Line {
        self.wait_for(reason, |line| line["reason"] == reason)
    }

    #[track_caller]
    fn wait_for(&mut self, wanted: &str, matches: impl Fn(&Line) -> bool) -> Line {
        let found = self.find(wanted, matches);
        found.unwrap_or_else(|| panic!("ended without a line with {wanted:?}: {:#?}", self.log))
    }

    /// The next line that matches; `None` when stderr ends before.
    #[track_caller]
    fn find(&mut self, wanted: &str, matches: impl Fn(&Line) -> bool) -> Option<Line> {
        let end = Instant::now() + DEADLINE;
        loop {
            let line = match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no line with {wanted:?} after {:#?}", self.log),
            };
            self.log.push(line.clone());
            if matches(&line) {
                return Some(line);
            }
        }
    }

    /// The address of its `health` or `admin` listener, from the log line that announces the listener.
    #[track_caller]
    pub fn address(&mut self, listener: &str) -> SocketAddr {
        let address = self.address_unless_ended(listener);
        address.unwrap_or_else(|| panic!("ended without a {listener} listener: {:#?}", self.log))
    }

    /// The same; `None` when the program ends without such a listener.
    #[track_caller]
    pub fn address_unless_ended(&mut self, listener: &str) -> Option<SocketAddr> {
        let message = format!("{listener} listener is up");
        let line = self.find(&message, |line| line["message"] == message)?;
        let address = line["address"].as_str().and_then(|address| address.parse().ok());
        Some(address.unwrap_or_else(|| panic!("no address in {line:?}")))
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: impl Into<Signal>) {
        send(self.id(), signal);
    }

    /// Whether it has not ended yet
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How many files it has open, and how many threads it has.
    pub fn files_and_threads(&self) -> (usize, usize) {
        let count = |directory: &str| fs::read_dir(format!("/proc/{}/{directory}", self.id())).unwrap().count();
        (count("fd"), count("task"))
    }

    /// Waits until it ends.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let status = until("the program ends", || {
            self.log.extend(self.lines.try_iter());
            self.child.try_wait().unwrap()
        });
        let elapsed = self.started.elapsed();
        let stdout = self.stdout.take().map(|stdout| stdout.join().unwrap()).unwrap_or_default();
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        Ended { code: status.code(), signal: status.signal(), stdout, log, elapsed }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(reader: impl Read + Send + 'static) -> Receiver<Line> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(reader).split(b'\n').map_while(Result::ok);
        lines.try_for_each(|line| sender.send(Line::new(&line)))
    });
    lines
}
