//! How the bytes of an input are read: which lines belong together, and what is in them.

use std::borrow::Cow;

use memchr::memchr;

use crate::record::Parsed;

/// How an input is read
#[derive(Clone, Debug, Default)]
pub(crate) struct Format {}

impl Format {
    /// Of whole lines, how many bytes are complete records; zero if the first one may go on
    pub(crate) fn extent(&self, lines: &[u8]) -> usize {
        lines.len()
    }

    /// Whether a record that is complete may still go on in the lines that follow
    pub(crate) fn joins_lines(&self) -> bool {
        false
    }

    /// The length of the first record of these, which are whole records or one that was cut.
    pub(crate) fn first(&self, records: &[u8]) -> usize {
        memchr(b'\n', records).map_or(records.len(), |newline| newline + 1)
    }

    /// Bytes as text, if they are all text as it is.
    pub(crate) fn as_text<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(bytes).ok()
    }

    /// Bytes as text, and how many of them had to be replaced.
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, u64) {
        let invalid = bytes.utf8_chunks().map(|chunk| chunk.invalid().len() as u64).sum();
        (String::from_utf8_lossy(bytes), invalid)
    }

    /// Whether a record is its text and nothing else
    pub(crate) fn is_raw(&self) -> bool {
        true
    }

    /// What is in a record; `None` if it is not what the format says.
    pub(crate) fn read<'a>(&self, _text: &'a str) -> Option<Parsed<'a>> {
        Some(Parsed::default())
    }
}
