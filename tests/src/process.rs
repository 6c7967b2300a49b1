//! A process under test, with everything that it says.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, PipeReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::until::{DEADLINE, until};

/// Where the tools of a Debian system are; processes under test get no other variable.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running process, killed when dropped
pub struct Process {
    child: Child,
    started: Instant,
    lines: Receiver<String>,
    heard: Vec<String>,
}

/// How a process ended
pub struct End {
    /// Exit code; `None` when a signal ended it
    pub code: Option<i32>,
    /// What it wrote to stdout and stderr
    pub log: String,
    /// From start to end
    pub elapsed: Duration,
}

impl Process {
    /// Starts `wait-for` with these arguments, its log as text.
    pub fn wait_for<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = wait_for();
        command.args(arguments);
        Self::start(command)
    }

    /// Starts any command; it should come from [`command`], without variables.
    pub fn start(mut command: Command) -> Self {
        let (reader, writer) = io::pipe().expect("a pipe");
        command.stdin(Stdio::null()).stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
        let child = command.spawn().expect("a program that runs");
        Self { child, started: Instant::now(), lines: lines_of(reader), heard: Vec::new() }
    }

    /// Waits for a line that holds `part`, from those that nobody has waited for yet.
    pub fn says(&mut self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.next_line(deadline) {
                Some(line) if line.contains(part) => return line,
                Some(_) => {}
                None => panic!("ended and never said {part:?}, but:\n{}", self.heard.join("\n")),
            }
        }
    }

    /// Fails when the process ends before this much time has passed since its start.
    pub fn runs_for(&mut self, time: Duration) {
        until("that much time has passed", || {
            assert!(self.runs(), "ended after {:?}:\n{}", self.started.elapsed(), self.rest());
            (self.started.elapsed() >= time).then_some(())
        });
    }

    /// Whether it has not ended yet
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        output(kill(self.child.id(), name));
    }

    /// Waits for the end.
    pub fn end(mut self) -> End {
        let log = self.rest();
        let status = self.child.wait().expect("a child");
        End { code: status.code(), elapsed: self.started.elapsed(), log }
    }

    /// Waits for the end, which must come with this exit code.
    pub fn ends_with(self, code: i32) -> End {
        let end = self.end();
        assert_eq!(end.code, Some(code), "{}", end.log);
        end
    }

    /// The whole log, once the process has ended
    fn rest(&mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        while self.next_line(deadline).is_some() {}
        self.heard.join("\n")
    }

    /// `None` when the process has ended
    fn next_line(&mut self, deadline: Instant) -> Option<String> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.heard.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{DEADLINE:?} have passed in vain after:\n{}", self.heard.join("\n"))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `wait-for` without arguments; it dies with the thread that starts it
pub fn wait_for() -> Command {
    helper("wait-for")
}

/// A helper without arguments, its log as text; it dies with the thread that starts it
pub fn helper(name: &str) -> Command {
    let mut command = command("setpriv");
    command.arg("--pdeathsig=KILL").arg(installed(binary(name).as_os_str())).args(["--log-format", "text"]);
    command
}

/// A command with no variable but a plain `PATH`
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(installed(program.as_ref()));
    command.env_clear().env("PATH", PATH);
    command
}

/// The path of a program, because a missing one should say what to do about it
fn installed(program: &OsStr) -> PathBuf {
    let mut places = PATH.split(':').map(|place| Path::new(place).join(program));
    let path = places.find(|path| path.exists());
    path.unwrap_or_else(|| panic!("{} is not installed: run make test-peers", program.display()))
}

/// Runs a tool to its end and gives what it wrote to stdout; fails when the tool does.
pub fn output(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("a program that runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The command that sends a signal by its name, such as `TERM`
pub fn kill(process: u32, name: &str) -> Command {
    let mut kill = command("kill");
    kill.arg(format!("-{name}")).arg(process.to_string());
    kill
}

/// A binary of this workspace
pub fn binary(name: &str) -> PathBuf {
    target_directory().join("debug").join(name)
}

/// The target directory: this test runs from `target/debug/deps`.
pub fn target_directory() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    test.ancestors().nth(3).map(Path::to_path_buf).expect("target/debug/deps")
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
