//! The records in some whole lines, one after the other.

use super::{
    Format,
    amount::Amount,
    extent::{Extent, line},
    multiline, parts,
};

/// Finds the records in whole lines
pub(crate) struct Split<'a> {
    bytes: &'a [u8],
    from: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Lines,
    Parts(parts::Split),
    Joined(multiline::Reader<'a>),
    Nested(std::vec::IntoIter<Extent>),
    Single,
}

impl<'a> Split<'a> {
    pub(super) fn new(format: &'a Format, bytes: &'a [u8]) -> Self {
        let kind = match (&format.multiline, format.syntax()) {
            (Some(_), Some(_)) => {
                Kind::Nested(format.nested().map(|nested| nested.split(bytes)).unwrap_or_default().into_iter())
            }
            (Some(multiline), None) => Kind::Joined(multiline.reader(format.charset)),
            (None, Some(syntax)) => Kind::Parts(parts::Split::new(syntax)),
            (None, None) => Kind::Lines,
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
            Kind::Parts(split) => split.next(self.bytes, self.from)?,
            Kind::Joined(reader) => {
                let end = reader.record_end(self.bytes, self.from)?;
                (Extent::apart(self.from..end.at, end.lines), end.at)
            }
            Kind::Nested(extents) => (extents.next()?, self.from),
            Kind::Single => {
                let rest = self.bytes.get(self.from..).filter(|rest| !rest.is_empty())?;
                (Extent::apart(self.from..self.bytes.len(), Amount::of(rest).lines), self.bytes.len())
            }
        };
        self.from = next;
        Some(extent)
    }
}
