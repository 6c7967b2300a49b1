//! One record of a log, as its format reads it, for outputs that know fields and times.

use std::{
    borrow::Cow,
    ops::{Add, Sub},
};

use memchr::memchr_iter;

/// One record: a line, or several that belong together
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// Of its first byte in the generation
    pub(crate) offset: u64,
    /// Nanoseconds since 1970: as the record says, or when it was read
    pub(crate) time: i64,
    /// Without its newline; bytes that are no text are replaced
    pub(crate) message: Cow<'a, str>,
    /// The fields that the format found, in its order
    pub(crate) fields: Vec<Field<'a>>,
}

/// A name and its value
pub(crate) type Field<'a> = (Cow<'a, str>, Value<'a>);

/// A typed value
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    /// A number, a boolean, null, an object or an array, as JSON writes it
    Json(Cow<'a, str>),
}

/// The values that a format finds in the text of a record
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    /// Nanoseconds since 1970
    pub(crate) time: Option<i64>,
    /// `None` means the text as it is
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) fields: Vec<Field<'a>>,
}

/// Defects of the records of a batch
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes that are no text, and were replaced
    pub(crate) invalid_bytes: u64,
    /// Records of another form than their format
    pub(crate) unparsed: u64,
}

/// So many lines of a file, and their bytes there
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl Amount {
    /// Of all these; the last line may have no newline.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let newlines = memchr_iter(b'\n', bytes).count() as u64;
        let unfinished = u64::from(bytes.last().is_some_and(|last| *last != b'\n'));
        Self { bytes: bytes.len() as u64, lines: newlines + unfinished }
    }
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
