//! A pipe whose reader has stalled.

use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};

use rustix::io::ioctl_fionbio;

/// A pipe that is full, so that writing to it blocks until the reader is used or dropped
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    fill_pipe(&writer);
    (reader, writer)
}

/// Writes to a pipe until it takes no more.
pub fn fill_pipe(mut writer: &PipeWriter) {
    ioctl_fionbio(writer, true).unwrap();
    let refusal = loop {
        if let Err(error) = writer.write_all(b"x") {
            break error;
        }
    };
    assert_eq!(refusal.kind(), ErrorKind::WouldBlock);
    ioctl_fionbio(writer, false).unwrap();
}
