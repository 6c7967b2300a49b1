//! A checkpoint that a restart would not read is not written.

use std::io::{self, Write};

const TOO_LARGE: &str =
    "it knows so many files that a restart would not read it: delete rotated files, or let inputs match fewer";

/// Writes no more than some bytes
pub(super) struct Bounded<W> {
    out: W,
    left: u64,
}

impl<W> Bounded<W> {
    pub(super) fn new(out: W, left: u64) -> Self {
        Self { out, left }
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| io::Error::other(TOO_LARGE))?;
        self.out.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
