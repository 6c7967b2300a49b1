//! `kubectl`, the only way to the cluster.

use std::{
    env,
    io::Write,
    process::{Command, Output, Stdio},
};

/// Without a cluster a story fails, because a story that was skipped proves nothing.
const NO_CLUSTER: &str = "KUBECONFIG is not set: stories need a Kubernetes cluster with this project's images. \
    `make test-cluster` starts one for them; to use another, load target/images and target/test-images into it and set KUBECONFIG";

/// `kubectl` with these arguments, for the cluster that KUBECONFIG names
#[expect(clippy::disallowed_methods, reason = "a test, and KUBECONFIG is how every tool finds its cluster")]
pub fn kubectl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let config = env::var_os("KUBECONFIG").filter(|config| !config.is_empty()).expect(NO_CLUSTER);
    // With all variables of the caller's: what logs in to a cluster may need them.
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", config);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The output of a command: `Ok` its stdout, `Err` its stderr
pub(super) fn answer(mut command: Command) -> Result<String, String> {
    let output = command.output().expect("kubectl in PATH");
    said(&output)
}

/// The same, with `input` as its stdin
pub(super) fn answer_to(command: Command, input: &str) -> Result<String, String> {
    said(&outcome(command, input))
}

/// The stderr of a command that got `input` as its stdin
pub(super) fn complaint_about(command: Command, input: &str) -> String {
    String::from_utf8_lossy(&outcome(command, input).stderr).into_owned()
}

fn outcome(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl in PATH");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
    child.wait_with_output().expect("a child")
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
