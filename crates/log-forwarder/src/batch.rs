//! A contiguous range of lines of one generation, as slices of the buffer that it was read into.

use std::{ops::Range, path::PathBuf, sync::Arc, time::SystemTime};

use memchr::{memchr, memchr_iter, memrchr};

use crate::pool::Buffer;

/// Where a batch comes from
#[derive(Debug)]
pub(crate) struct Source {
    /// The path by which the file was found
    pub(crate) path: PathBuf,
    /// The generation's name for collectors
    pub(crate) generation: String,
}

/// What is special about the lines of a batch; only single lines are
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Each has its newline
    Whole,
    /// Its end is left out, since it was too long
    Cut,
    /// It has no newline and will get none
    Unfinished,
}

/// A contiguous range of lines of one generation; cheap to clone
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) source: Arc<Source>,
    pub(crate) mark: Mark,
    /// When it was read
    pub(crate) time: SystemTime,
    /// Of its first byte
    pub(crate) offset: u64,
    /// The catalog's number of the generation
    pub(crate) key: u64,
    buffer: Arc<Buffer>,
    range: Range<usize>,
}

impl Batch {
    pub(crate) fn new(
        (source, key): (Arc<Source>, u64),
        mark: Mark,
        offset: u64,
        buffer: Buffer,
        range: Range<usize>,
    ) -> Self {
        Self { source, mark, time: SystemTime::now(), offset, key, buffer: Arc::new(buffer), range }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }

    pub(crate) fn length(&self) -> u64 {
        self.range.len() as u64
    }

    pub(crate) fn end(&self) -> u64 {
        self.offset + self.length()
    }

    /// The number of lines
    pub(crate) fn count(&self) -> u64 {
        match self.mark {
            Mark::Whole => memchr_iter(b'\n', self.bytes()).count() as u64,
            Mark::Cut | Mark::Unfinished => 1,
        }
    }

    /// Each line without its newline, and where it begins in the generation
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let (mut offset, mut rest) = (self.offset, self.bytes());
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (line, length) = match memchr(b'\n', rest) {
                Some(newline) => (&rest[..newline], newline + 1),
                None => (rest, rest.len()),
            };
            let start = offset;
            (offset, rest) = (offset + length as u64, &rest[length..]);
            Some((start, line))
        })
    }

    /// Two batches of about the same size, in order; `None` if this is a single line.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let bytes = self.bytes();
        let inner = &bytes[..bytes.len().checked_sub(1)?];
        let middle = inner.len() / 2;
        let newline = memrchr(b'\n', &inner[..middle]).or_else(|| Some(middle + memchr(b'\n', &inner[middle..])?))?;
        let split = self.range.start + newline + 1;
        let first = Self { range: self.range.start..split, ..self.clone() };
        let second = Self { range: split..self.range.end, offset: first.end(), ..self.clone() };
        Some((first, second))
    }
}

/// For tests of what takes batches: one of this text, from the beginning of a file
#[cfg(test)]
pub(crate) fn of(text: &[u8], mark: Mark) -> Batch {
    let mut buffer = crate::pool::Pool::default().empty(text.len());
    buffer.extend_from_slice(text);
    let source = Source { path: "/logs/app.log".into(), generation: "0123456789abcdef".into() };
    Batch::new((source.into(), 1), mark, 0, buffer, 0..text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_single_line_has_no_halves() {
        assert!(of(b"one\n", Mark::Whole).halves().is_none());
        assert!(of(b"\n", Mark::Whole).halves().is_none());
        assert!(of(b"one", Mark::Unfinished).halves().is_none());
    }

    proptest! {
        #[test]
        fn halves_are_the_whole(lines in proptest::collection::vec("[a-z]{0,9}", 2..30)) {
            let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
            let whole = of(text.as_bytes(), Mark::Whole);
            let (first, second) = whole.halves().unwrap();
            prop_assert_eq!([first.bytes(), second.bytes()].concat(), text.as_bytes());
            prop_assert!(first.count() > 0 && second.count() > 0);
            prop_assert_eq!(first.count() + second.count(), lines.len() as u64);
            prop_assert_eq!((first.end(), second.end()), (second.offset, whole.end()));
            for (offset, line) in whole.lines() {
                let start = usize::try_from(offset).unwrap();
                prop_assert_eq!(&text.as_bytes()[start..start + line.len()], line);
            }
        }
    }
}
