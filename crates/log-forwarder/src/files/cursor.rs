//! How far one output has come in one file.

use std::io;

use memchr::memrchr;

use crate::{
    content::{Content, fingerprint::Anchor},
    records::span::{Mark, Span},
};

/// Bytes that are read at once to find the end of the last line
const CHUNK: u64 = 64 * 1024;

/// Since when an output reads a file
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Since {
    #[default]
    Beginning,
    /// It is new since the last run, and gets what is still there.
    Restart,
}

/// How far one output has come in one file
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// All bytes before it are acknowledged, or named as rejected or lost.
    pub(crate) position: u64,
    /// The bytes before the position
    pub(crate) anchor: Anchor,
    /// The position stands within a line that was cut.
    pub(crate) within_cut: bool,
    /// The end of the span that the output has now; the position, if it has none
    pub(crate) in_flight_end: u64,
    /// A hash of the bytes before that end
    in_flight_hash: u64,
    /// From the position up to here no record ends.
    pub(crate) no_newline_before: u64,
    /// Its output is removed, and there is nothing to do for it.
    pub(crate) is_closed: bool,
    pub(crate) since: Since,
    /// The bytes behind it could not be read, and are tried again later.
    pub(crate) has_failed: bool,
}

impl Cursor {
    /// At the beginning of a file that was there before the output
    pub(crate) fn of_new_output() -> Self {
        Self { since: Since::Restart, ..Self::default() }
    }

    /// At a position, with nothing in flight
    pub(crate) fn at(position: u64, anchor: Anchor, within_cut: bool) -> Self {
        Self { position, anchor, within_cut, in_flight_end: position, no_newline_before: position, ..Self::default() }
    }

    /// Behind the last whole line of a file with this size. A longer line than may be is passed
    /// over to the end of the file.
    pub(crate) fn at_end(file: &Content, size: u64, longest: usize) -> io::Result<Self> {
        let first = size.saturating_sub(longest as u64 + 1);
        let (mut end, mut chunk) = (size, Vec::new());
        while end > first {
            let begin = end.saturating_sub(CHUNK).max(first);
            chunk.resize(usize::try_from(end - begin).unwrap_or_default(), 0);
            let read = file.read_at(&mut chunk, begin)?;
            if let Some(newline) = memrchr(b'\n', &chunk[..read]) {
                let position = begin + newline as u64 + 1;
                return Ok(Self::at(position, Anchor::read(file, position)?, false));
            }
            end = begin;
        }
        let position = if first > 0 { size } else { 0 };
        Ok(Self::at(position, Anchor::read(file, position)?, first > 0))
    }

    /// Where the output will be once it has settled this span
    pub(super) fn behind(&self, span: &Span) -> Self {
        let mut anchor = self.anchor.clone();
        anchor.extend(span.own_bytes());
        Self::at(span.end(), anchor, false)
    }

    /// For an output that is removed
    pub(crate) fn closed() -> Self {
        Self { is_closed: true, ..Self::default() }
    }

    /// The output has this span now.
    pub(super) fn hand_out(&mut self, span: &Span) {
        let mut anchor = self.anchor.clone();
        anchor.extend(span.own_bytes());
        (self.in_flight_end, self.in_flight_hash) = (span.end(), anchor.hash());
    }

    /// The end of the span that the output has now, and a hash of the bytes before it
    pub(super) fn in_flight_mark(&self) -> Option<(u64, u64)> {
        (!self.is_closed && !self.is_idle()).then_some((self.in_flight_end, self.in_flight_hash))
    }

    /// The first bytes in flight are settled: delivered, rejected or dropped.
    pub(super) fn settle(&mut self, span: &Span) {
        if span.goes_on {
            return;
        }
        self.position = span.end();
        self.anchor.extend(span.own_bytes());
        self.within_cut = span.mark == Mark::Cut;
        self.no_newline_before = self.position;
    }

    /// Moves over bytes that the output never gets.
    pub(super) fn skip(&mut self, bytes: &[u8], within_cut: bool) {
        self.position += bytes.len() as u64;
        self.anchor.extend(bytes);
        (self.within_cut, self.in_flight_end, self.no_newline_before) = (within_cut, self.position, self.position);
    }

    /// Moves over a hole, whose bytes are all zero.
    pub(super) fn skip_hole(&mut self, end: u64) {
        let zeros = [0; crate::content::fingerprint::ANCHOR_LIMIT];
        let length = usize::try_from(end - self.position).unwrap_or(usize::MAX).min(zeros.len());
        self.anchor.extend(&zeros[..length]);
        // A line does not go on behind a hole.
        (self.position, self.in_flight_end, self.no_newline_before, self.within_cut) = (end, end, end, false);
    }

    /// Whether the output has no span of the file now.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight_end == self.position
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Arc};

    use super::*;

    fn end_of(text: &str, longest: usize) -> (u64, bool) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let file = Content::Plain(Arc::new(file));
        let cursor = Cursor::at_end(&file, text.len() as u64, longest).unwrap();
        assert_eq!(cursor.anchor, Anchor::read(&file, cursor.position).unwrap());
        (cursor.position, cursor.within_cut)
    }

    #[test]
    fn the_end_is_behind_the_last_whole_line() {
        assert_eq!(end_of("", 8), (0, false));
        assert_eq!(end_of("one\ntwo\n", 8), (8, false));
        assert_eq!(end_of("one\ntw", 8), (4, false));
        assert_eq!(end_of("one", 8), (0, false));
        // The line may have as many bytes as a line may have, and not one more.
        assert_eq!(end_of("one\n12345678", 8), (4, false));
        assert_eq!(end_of("one\n123456789", 8), (13, true));
        let long = format!("one\n{}", "x".repeat(200_000));
        assert_eq!(end_of(&long, 1 << 20), (4, false));
    }
}
