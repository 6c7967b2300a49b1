//! Starts wait-for, serves it, and sees it end.

pub(crate) mod certificates;
pub(crate) mod dns;
pub(crate) mod h2;
pub(crate) mod http;
pub(crate) mod namespace;
mod program;
pub(crate) mod server;
pub(crate) mod terminal;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

pub(crate) use program::{Ended, Program, send};
pub(crate) use rustix::process::Signal;

/// Far beyond anything that happens on a busy machine
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// How often a state is looked at
const POLL: Duration = Duration::from_millis(5);

/// wait-for with these arguments and nothing in its environment.
pub(crate) fn wait_for(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wait-for"));
    command.args(arguments).env_clear();
    command
}

/// Runs wait-for to its end.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Program::start(&mut wait_for(arguments)).end()
}

/// What proved the only target ready.
#[track_caller]
pub(crate) fn proof(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line = ended.message("ready");
    line["proof"].as_str().unwrap().to_owned()
}

/// Why the only target is not ready, as the first word about it has it. The wait goes on, and is then stopped.
#[track_caller]
pub(crate) fn reason(arguments: &[&str]) -> String {
    let mut program = Program::start(&mut wait_for(arguments));
    let line = program.wait_for_message("not ready");
    program.signal(Signal::TERM);
    program.end().ended_with(143, "reason=stopped");
    line["reason"].as_str().unwrap().to_owned()
}

/// Why the only target never will be ready: wait-for ends by itself with this code.
#[track_caller]
pub(crate) fn never(code: i32, arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let line = ended.message("will not become ready");
    line["reason"].as_str().unwrap().to_owned()
}

/// Asks again until there is an answer; a deadline makes it a failure that names what was waited for.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(POLL);
    }
}
