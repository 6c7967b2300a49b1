//! A reader of stderr that stalls: `--timeout` and signals hold all the same.

use std::{
    io::{PipeReader, Write, pipe},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::io::ioctl_fionbio;

use crate::support::{server::ClosedPort, wait_for};

/// The command with a pipe as stderr that is full and that nobody reads.
fn stalled(command: &mut Command) -> (&mut Command, PipeReader) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write_all(b"x").is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
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
