//! A container of one test.

use std::thread;

use harness::until;
use serde_json::Value;

use crate::{
    engine::{ask, docker, said},
    image::BUSYBOX,
};

/// The restrictions of every container of ours in the manifests
pub(crate) const HARDENED: [&str; 3] = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
const OFFLINE: &str = "--network=none";

/// A container, removed when dropped; if the test fails, its log is printed before
pub(crate) struct Container(String);

/// A container that has ended
pub(crate) struct Ended {
    /// Its exit code, where a signal n counts as 128 + n
    pub(crate) code: i64,
    /// Its stdout, and then its stderr
    pub(crate) log: String,
}

impl Container {
    /// Starts one; `options` are of `docker run`.
    pub(crate) fn start(options: &[&str], image: &str, arguments: &[&str]) -> Self {
        let container = Self::create(options, image, arguments);
        ask(["start", &container.0]);
        container
    }

    /// One that does not run yet
    pub(crate) fn create(options: &[&str], image: &str, arguments: &[&str]) -> Self {
        // Without a pull, because the image that was built here is under test.
        Self(ask([&["create", "--pull=never"], options, &[image], arguments].concat()))
    }

    /// What `docker` calls it
    pub(crate) fn reference(&self) -> &str {
        &self.0
    }

    /// Waits for its end.
    pub(crate) fn end(&self) -> Ended {
        let code = until(&format!("{self} ends"), || {
            let state = inspect(&self.0, "/State");
            (state["Status"] == "exited").then(|| state["ExitCode"].as_i64().unwrap())
        });
        Ended { code, log: log(&self.0) }
    }

    /// Asks it to stop, kills it after `grace` seconds, and gives its exit code: 137 if it was killed.
    pub(crate) fn stop(&self, grace: u32) -> i64 {
        ask(["stop", "--time", &grace.to_string(), &self.0]);
        self.end().code
    }

    /// Waits until it says `part`, and gives that line.
    pub(crate) fn says(&self, part: &str) -> String {
        says(&self.0, part)
    }
}

impl std::fmt::Display for Container {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "container {}", &self.0[..12])
    }
}

impl Drop for Container {
    #[expect(clippy::print_stderr, reason = "the test's own report")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", report(&self.0));
        }
        let _ = docker(["rm", "--force", "--volumes", &self.0]).output();
    }
}

/// Runs a container to its end.
pub(crate) fn run(options: &[&str], image: &str, arguments: &[&str]) -> Ended {
    Container::start(options, image, arguments).end()
}

/// The same, hardened and without a network
pub(crate) fn run_alone(image: &str, arguments: &[&str]) -> Ended {
    run(&[&HARDENED[..], &[OFFLINE]].concat(), image, arguments)
}

/// What `docker inspect` says of a container, at a JSON pointer such as `/State/Health`
pub(crate) fn inspect(container: &str, pointer: &str) -> Value {
    let all: Value = serde_json::from_str(&ask(["container", "inspect", container])).unwrap();
    all[0].pointer(pointer).cloned().unwrap_or_default()
}

/// The stdout of a container, and then its stderr
pub(crate) fn log(container: &str) -> String {
    let output = docker(["logs", container]).output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// Waits until a container says `part`, and gives that line.
pub(crate) fn says(container: &str, part: &str) -> String {
    until(&format!("container {container} says {part:?}"), || {
        log(container).lines().find(|line| line.contains(part)).map(str::to_owned)
    })
}

/// Its state and its log, for a test that fails
pub(crate) fn report(container: &str) -> String {
    // Without a panic: it is called while one is under way.
    let state = said(&mut docker(["container", "inspect", "--format={{json .State}}", container]));
    format!("--- {container}: {}\n{}", state.unwrap_or_else(|error| error), log(container))
}

/// The output of a shell command beside the first process of a container: for images without a shell
pub(crate) fn beside(container: &str, command: &str) -> String {
    let shared = format!("--pid=container:{container}");
    ask(["run", "--rm", OFFLINE, &shared, BUSYBOX, "sh", "-c", command])
}

/// A field of `/proc/1/status` of a container, such as `CapEff`
pub(crate) fn status_of_pid_one(container: &str, field: &str) -> String {
    let status = beside(container, "cat /proc/1/status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in\n{status}")).split_whitespace().next().unwrap().to_owned()
}
