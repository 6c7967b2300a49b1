//! How far one output has come in one file.

use crate::{
    content::fingerprint::Anchor,
    records::span::{Mark, Span},
};

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
    /// From the position up to here no record ends.
    pub(crate) barren_end: u64,
    /// Its output is removed, and there is nothing to do for it.
    pub(crate) is_closed: bool,
    /// The bytes behind it could not be read, and are tried again later.
    pub(crate) has_failed: bool,
}

impl Cursor {
    /// At a position, with nothing in flight
    pub(crate) fn at(position: u64, anchor: Anchor, within_cut: bool) -> Self {
        Self { position, anchor, within_cut, in_flight_end: position, barren_end: position, ..Self::default() }
    }

    /// For an output that is removed
    pub(crate) fn closed() -> Self {
        Self { is_closed: true, ..Self::default() }
    }

    /// The output has this span now.
    pub(super) fn hand_out(&mut self, span: &Span) {
        self.in_flight_end = span.end();
    }

    /// The beginning of what is in flight is settled: delivered or rejected.
    pub(super) fn settle(&mut self, span: &Span) {
        if span.goes_on {
            return;
        }
        self.position = span.end();
        self.anchor.extend(span.own_bytes());
        self.within_cut = span.mark == Mark::Cut;
        self.barren_end = self.position;
    }

    /// Moves over bytes that the output never gets.
    pub(super) fn skip(&mut self, bytes: &[u8], within_cut: bool) {
        self.position += bytes.len() as u64;
        self.anchor.extend(bytes);
        (self.within_cut, self.in_flight_end, self.barren_end) = (within_cut, self.position, self.position);
    }

    /// Moves over a hole, whose bytes are all zero.
    pub(super) fn skip_hole(&mut self, end: u64) {
        let zeros = [0; crate::content::fingerprint::ANCHOR_LIMIT];
        let length = usize::try_from(end - self.position).unwrap_or(usize::MAX).min(zeros.len());
        self.anchor.extend(&zeros[..length]);
        (self.position, self.in_flight_end, self.barren_end) = (end, end, end);
    }

    /// Whether the output has no span of the file now.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight_end == self.position
    }
}
