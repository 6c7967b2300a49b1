//! How far one output has come in one generation.

use crate::{
    content::identity::Anchor,
    records::batch::{Batch, Mark},
};

/// How far one output has come in one generation
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// All before it is acknowledged, or named as rejected or lost
    pub(crate) position: u64,
    /// The bytes before the position
    pub(crate) anchor: Anchor,
    /// The position stands within a line that was cut
    pub(crate) skipping: bool,
    /// Where the batch ends that the output has now; the position, if it has none
    pub(crate) in_flight_end: u64,
    /// From the position up to here no line ends
    pub(crate) barren_end: u64,
    /// Its output is gone, and there is nothing to do for it
    pub(crate) closed: bool,
}

impl Cursor {
    /// At a position, with nothing in flight
    pub(crate) fn at(position: u64, anchor: Anchor, skipping: bool) -> Self {
        Self { position, anchor, skipping, in_flight_end: position, barren_end: position, closed: false }
    }

    /// For an output that is gone
    pub(crate) fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    /// The output has this batch now.
    pub(crate) fn hand_out(&mut self, batch: &Batch) {
        self.in_flight_end = batch.end();
    }

    /// The beginning of what is in flight is settled: delivered, or rejected.
    pub(crate) fn settle(&mut self, batch: &Batch) {
        if batch.goes_on {
            return;
        }
        self.position = batch.end();
        self.anchor.extend(batch.bytes());
        self.skipping = batch.mark == Mark::Cut;
        self.barren_end = self.position;
    }

    /// Moves over bytes that this output never gets.
    pub(crate) fn skip(&mut self, bytes: &[u8], skipping: bool) {
        self.position += bytes.len() as u64;
        self.anchor.extend(bytes);
        (self.skipping, self.in_flight_end, self.barren_end) = (skipping, self.position, self.position);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight_end == self.position
    }
}
