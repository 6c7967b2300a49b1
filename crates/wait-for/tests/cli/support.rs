//! Starts wait-for, serves it, and sees it end.

pub(crate) mod api_server;
pub(crate) mod dns;
pub(crate) mod h2;
pub(crate) mod http;
pub(crate) mod mysql;
pub(crate) mod namespace;
pub(crate) mod server;

use std::process::Command;

pub(crate) use harness::{Authority, DEADLINE, Ended, Program, Signal, send, until};

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

/// Why the only target is not ready, as the first word about it has it. The wait goes on, and is
/// then stopped.
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
