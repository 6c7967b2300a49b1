//! Where a record is among some whole lines.

use std::ops::Range;

use memchr::memchr;

use super::amount::Amount;

/// Where a record is among some whole lines
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// From its first line to its last, newline included; lines of another record may stand
    /// between.
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

/// The line that begins there, with its newline
pub(super) fn line(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = bytes.get(from..).filter(|rest| !rest.is_empty())?;
    let length = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
    Some(from..from + length)
}
