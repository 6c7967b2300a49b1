//! The records in some whole lines, one after the other.

use std::ops::Range;

use memchr::memchr;

use super::{Format, Parser, cri, multiline};
use crate::records::amount::Amount;

/// Where a record is among some whole lines
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// From its first line to its last, newline included; lines of another record may stand between.
    pub(crate) range: Range<usize>,
    /// Its own lines; each line belongs to one record.
    pub(crate) amount: Amount,
    /// No record before it continues behind its beginning.
    pub(crate) is_apart: bool,
}

impl Extent {
    /// One without lines of another record in it
    pub(crate) fn apart(range: Range<usize>, lines: u64) -> Self {
        let amount = Amount { bytes: range.len() as u64, lines };
        Self { range, amount, is_apart: true }
    }
}

/// Finds the records in whole lines
pub(crate) struct Split<'a> {
    bytes: &'a [u8],
    from: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Lines,
    Cri(cri::Split),
    Joined(multiline::Reader<'a>),
    Single,
}

impl<'a> Split<'a> {
    pub(super) fn new(format: &'a Format, bytes: &'a [u8]) -> Self {
        let kind = match (&format.multiline, &format.parser) {
            (Some(multiline), _) => Kind::Joined(multiline.reader(format.charset)),
            (None, Parser::Cri) => Kind::Cri(cri::Split::default()),
            (None, _) => Kind::Lines,
        };
        Self { bytes, from: 0, kind }
    }

    /// All of it is one record, with any content.
    pub(crate) fn single(bytes: &'a [u8]) -> Self {
        Self { bytes, from: 0, kind: Kind::Single }
    }
}

impl Iterator for Split<'_> {
    type Item = Extent;

    fn next(&mut self) -> Option<Extent> {
        let (extent, next) = match &mut self.kind {
            Kind::Lines => {
                let line = line(self.bytes, self.from)?;
                let next = line.end;
                (Extent::apart(line, 1), next)
            }
            Kind::Cri(split) => split.next(self.bytes, self.from)?,
            Kind::Joined(reader) => {
                let (end, lines) = reader.record_end(self.bytes, self.from)?;
                (Extent::apart(self.from..end, lines), end)
            }
            Kind::Single => {
                let rest = self.bytes.get(self.from..).filter(|rest| !rest.is_empty())?;
                (Extent::apart(self.from..self.bytes.len(), Amount::of(rest).lines), self.bytes.len())
            }
        };
        self.from = next;
        Some(extent)
    }
}

/// The line that begins there, with its newline
pub(super) fn line(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = bytes.get(from..).filter(|rest| !rest.is_empty())?;
    let length = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
    Some(from..from + length)
}
