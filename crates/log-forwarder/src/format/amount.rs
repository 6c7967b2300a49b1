//! How much of a file: lines and bytes, and the defects that were found in them.

use std::ops::{Add, Sub};

use memchr::memchr_iter;

/// Defects and secrets that were found in the records of a span
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes that are no text, and were replaced
    pub(crate) invalid_bytes: u64,
    /// Records of another form than their format, or without the time that it has
    pub(crate) unparsed: u64,
    /// Records in which a secret was hidden
    pub(crate) redacted: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            invalid_bytes: self.invalid_bytes + other.invalid_bytes,
            unparsed: self.unparsed + other.unparsed,
            redacted: self.redacted + other.redacted,
        }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            invalid_bytes: self.invalid_bytes.saturating_sub(other.invalid_bytes),
            unparsed: self.unparsed.saturating_sub(other.unparsed),
            redacted: self.redacted.saturating_sub(other.redacted),
        }
    }
}

/// A number of lines of a file, and their bytes there
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl Amount {
    /// Of all these; the last line may have no newline.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::counted(bytes, newlines(bytes))
    }

    /// The same, of which the newlines were counted
    pub(crate) fn counted(bytes: &[u8], newlines: usize) -> Self {
        let unfinished = usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
        Self { bytes: bytes.len() as u64, lines: (newlines + unfinished) as u64 }
    }
}

/// Newlines of these bytes
pub(crate) fn newlines(bytes: &[u8]) -> usize {
    memchr_iter(b'\n', bytes).count()
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, lines: self.lines + other.lines }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), lines: self.lines.saturating_sub(other.lines) }
    }
}
