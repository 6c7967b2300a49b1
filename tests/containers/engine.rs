//! The Docker engine, by `docker`, its only door.

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Without an engine a test fails, because a test that was skipped proves nothing.
const NO_ENGINE: &str = "no Docker engine answers: `make test-cluster` starts one with this project's images. \
    To use yours, start it, load target/images and target/test-images into it, and set DOCKER_HOST unless it has the customary socket";

/// `docker` with these arguments, for the engine that `DOCKER_HOST` names
pub(crate) fn docker<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    static ANSWER: OnceLock<Result<String, String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(|| said(Command::new("docker").args(["version", "--format={{.Server.Version}}"])));
    if let Err(error) = answer {
        panic!("{NO_ENGINE}\n{error}");
    }
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// What `docker` says to these arguments, which it must not refuse
pub(crate) fn ask<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let mut command = docker(arguments);
    said(&mut command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The output of a command: `Ok` its stdout, `Err` its stderr
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!("cannot run {}: {error}; `make test-cluster` installs what is missing", command.get_program().display())
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
