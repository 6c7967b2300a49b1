//! The batches in flight of an output. A new configuration holds for them, too: what was read but is
//! not delivered yet is filtered and redacted as it says now.

use crate::{
    files::{
        follower::{Shared, lock},
        known::OutputId,
    },
    records::batch::Batch,
};

/// The batches in flight, which are settled one after the other
#[derive(Default)]
pub(crate) struct InFlight {
    /// The first last
    batches: Vec<Batch>,
    /// How often the settings had changed when the batches were last adapted to them
    pub(crate) reloads: u64,
    /// How many of them, from the last in order on, the filters of the present settings have not seen
    unsifted: usize,
}

impl InFlight {
    pub(crate) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Puts parts of the first batch, the first last, in its place.
    pub(crate) fn replace(&mut self, parts: impl IntoIterator<Item = Batch>) {
        self.pop();
        self.batches.extend(parts);
    }

    /// Adds a batch that was just read.
    pub(crate) fn push_new(&mut self, batch: Batch) {
        self.batches.push(batch);
        self.unsifted = self.batches.len();
    }

    /// Takes the first batch.
    pub(crate) fn pop(&mut self) -> Option<Batch> {
        self.unsifted = self.unsifted.min(self.batches.len().saturating_sub(1));
        self.batches.pop()
    }

    /// The first batch as the settings say now. Records that filters drop are settled.
    pub(crate) fn first(&mut self, follower: &Shared, output: OutputId) -> Option<Batch> {
        loop {
            self.adapt(follower);
            if self.batches.len() > self.unsifted {
                return self.batches.last().cloned();
            }
            let sifted = self.pop()?.sifted();
            lock(follower).drop_records(&sifted, output);
            self.batches.extend(sifted.rest);
        }
    }

    fn adapt(&mut self, follower: &Shared) {
        let follower = lock(follower);
        if self.reloads != follower.reloads {
            self.reloads = follower.reloads;
            self.unsifted = self.batches.len();
            for batch in &mut self.batches {
                *batch = batch.map(|span| follower.retreated(span));
            }
        }
    }
}
