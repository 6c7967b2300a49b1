//! What an output gets: batch by batch, file by file in turn.

use std::time::Instant;

use super::Follower;
use crate::{
    files::{
        known::{Key, OutputId},
        loss::LossReason,
        reading::{Read, Reading, read},
        set::{Change, FileSet},
    },
    records::batch::Batch,
};

impl Follower {
    /// The next batch for an output: file by file in turn, and of one path the older file first.
    pub(crate) fn next(&mut self, output: OutputId, now: Instant) -> Option<Batch> {
        let turn = self.turns.get(&output).copied().unwrap_or(0);
        let keys: Vec<Key> = self.set.readable(output, turn).collect();
        for key in keys {
            if let Some(batch) = self.read(key, output, now) {
                self.turns.insert(output, key + 1);
                return Some(batch);
            }
        }
        if self.descriptors.waiting > 0 {
            self.descriptors.asked.notify_one();
        }
        None
    }

    fn read(&mut self, key: Key, output: OutputId, now: Instant) -> Option<Batch> {
        loop {
            let file = self.set.get(key)?;
            let path = file.path();
            let Read { reading, size } = match read(file, key, output, self.bounds, &self.pool) {
                Ok(read) => read,
                Err(error) => {
                    self.looker.complaints.warn(path, "cannot read", error, now);
                    return None;
                }
            };
            if size > file.seen {
                self.set.apply(Change::Reach(key, size), now);
            }
            match reading {
                Reading::Batch(batch) => {
                    self.set.apply(Change::HandOut(&batch, output), now);
                    return Some(batch);
                }
                Reading::TooLong { bytes, within_cut } => {
                    let reason = LossReason::TooLong;
                    self.set.apply(Change::Skip { key, output, bytes: &bytes, within_cut, reason }, now);
                }
                Reading::Hole(end) => {
                    let bytes = end - file_position(&self.set, key, output);
                    let file = self.set.get(key)?.path().display();
                    tracing::info!(%file, bytes, "a hole at the head is skipped");
                    self.set.apply(Change::SkipHole(key, output, end), now);
                }
                Reading::ByteOrderMark => {
                    self.set.apply(Change::PassMark(key, output), now);
                }
                Reading::Foreign => {
                    // A scan leaves it alone, and says so.
                    self.set.apply(Change::Unfollow(key), now);
                    self.names.doubt();
                    return None;
                }
                Reading::Barren(end) => {
                    self.set.apply(Change::Barren(key, output, end), now);
                    return None;
                }
                Reading::Suspicious => {
                    self.looker.suspect(&mut self.set, &mut self.names, key, now);
                    return None;
                }
                Reading::Nothing => return None,
            }
        }
    }
}

fn file_position(set: &FileSet, key: Key, output: OutputId) -> u64 {
    set.get(key).map_or(0, |file| file.cursors[output.0].position)
}
