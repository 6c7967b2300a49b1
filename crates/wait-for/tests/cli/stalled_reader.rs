//! A reader of stderr or stdout that stalls: `--timeout` and signals hold all the same.

use std::{
    io::PipeReader,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use harness::full_pipe;

use crate::support::{server::ClosedPort, wait_for};

/// The command with a full pipe, which is not read, as stderr.
fn stalled(command: &mut Command) -> (&mut Command, PipeReader) {
    let (reader, writer) = full_pipe();
    (command.stdout(Stdio::null()).stderr(writer), reader)
}

#[test]
fn the_timeout_is_kept() {
    let port = ClosedPort::new();
    for format in ["text", "json"] {
        let mut command = wait_for(&[&port.url(), "--timeout", "300ms", "--log-format", format]);
        let (command, _reader) = stalled(&mut command);
        let start = Instant::now();
        assert_eq!(command.status().unwrap().code(), Some(124), "{format}");
        // The rest is for machines that are busy with tests.
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[test]
fn a_result_on_stdout_that_is_not_read_holds_up_neither_the_timeout_nor_the_app() {
    let port = ClosedPort::new();
    let (_reader, stdout) = full_pipe();
    let result = ["--output", "json", "--timeout", "300ms"];
    let start = Instant::now();
    let ended = wait_for(&[&port.url()]).args(result).stdout(stdout.try_clone().unwrap()).output().unwrap();
    assert_eq!(ended.status.code(), Some(124));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("stdout was not read within 1s"));
    let app = ["--", "sh", "-c", "echo started >&2"];
    let ended = wait_for(&["--disabled"]).args(result).args(app).stdout(stdout).output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).ends_with("started\n"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
