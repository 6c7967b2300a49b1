//! A process under test, with everything that it writes.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use harness::{Ended, Program, until};

/// Where the tools of a Debian system are; processes under test get no other variable.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running process whose log is text; killed when dropped
pub struct Process {
    program: Program,
    started: Instant,
}

/// How a process ended
pub struct End {
    /// Exit code; `None` when a signal ended it
    pub code: Option<i32>,
    /// Everything that it wrote to stdout and stderr
    pub log: String,
    /// From its start to its end
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
        let started = Instant::now();
        let program = Program::start_with_one_stream(command.stdin(Stdio::null()));
        Self { program, started }
    }

    /// The next line that contains `part`.
    #[track_caller]
    pub fn says(&mut self, part: &str) -> String {
        self.program.wait_for_line(part).to_string()
    }

    /// Fails when the process ends before this much time has passed since its start.
    #[track_caller]
    pub fn runs_for(&mut self, time: Duration) {
        until("that much time has passed", || {
            assert!(self.runs(), "ended after {:?}", self.started.elapsed());
            (self.started.elapsed() >= time).then_some(())
        });
    }

    /// Whether it has not ended yet
    pub fn runs(&mut self) -> bool {
        self.program.is_running()
    }

    /// Sends a signal by its name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    /// Waits until it ends.
    #[track_caller]
    pub fn end(self) -> End {
        let Ended { code, log, elapsed, .. } = self.program.end();
        End { code, log: log.join("\n"), elapsed }
    }

    /// Waits until it ends, which must be with this exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> End {
        let end = self.end();
        assert_eq!(end.code, Some(code), "{}", end.log);
        end
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
