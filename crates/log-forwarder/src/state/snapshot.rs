//! The known files at one moment, in little memory: they are written while lines go on, and there may be tens of thousands.

use std::{path::Path, sync::Arc};

use serde::{Serialize, Serializer};

use super::entry::{Entry, Progress};
use crate::{
    content::{fingerprint::Head, volume::Inode},
    files::{follower::Follower, known::KnownFile},
    records::span::Source,
};

/// The entries of a checkpoint in the making
pub(crate) struct Snapshot {
    files: Vec<Saved>,
    /// Of all files, those of one after those of the other
    cursors: Vec<Place>,
    /// Of the outputs, by their numbers
    labels: Vec<Arc<str>>,
}

/// A known file without its cursors
struct Saved {
    source: Arc<Source>,
    home: Arc<Path>,
    inode: Inode,
    born: Option<i64>,
    head: Head,
    seen: u64,
    modified: i64,
    written: i64,
    packed: Option<u64>,
    ordinal: u32,
    may_grow: bool,
    cursors: u32,
}

/// How far an output has come
struct Place {
    output: u32,
    skipping: bool,
    offset: u64,
    anchor: u64,
}

impl Snapshot {
    /// The present state
    pub(super) fn of(follower: &Follower) -> Self {
        let labels: Vec<_> = follower.set.known_outputs().iter().map(|output| output.label.clone()).collect();
        let (files, cursors) = follower.saved_files().fold((0, 0), |(files, cursors), file| {
            (files + 1, cursors + file.cursors.iter().filter(|cursor| !cursor.is_closed).count())
        });
        // A list that doubles leaves holes in the heap.
        let (files, cursors) = (Vec::with_capacity(files), Vec::with_capacity(cursors));
        let mut snapshot = Self { files, cursors, labels };
        follower.saved_files().for_each(|file| snapshot.take(file));
        snapshot
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    fn take(&mut self, file: &KnownFile) {
        let before = self.cursors.len();
        let cursors = (0..).zip(&file.cursors).filter(|(_, cursor)| !cursor.is_closed);
        self.cursors.extend(cursors.map(|(output, cursor)| Place {
            output,
            skipping: cursor.within_cut,
            offset: cursor.position,
            anchor: cursor.anchor.hash(),
        }));
        self.files.push(Saved {
            source: file.source.clone(),
            home: file.home.clone(),
            inode: file.inode,
            born: file.born,
            head: file.head,
            seen: file.seen,
            modified: file.modified,
            written: file.written,
            packed: file.packed_size.map(|size| if file.is_measured() { size } else { 0 }),
            ordinal: file.ordinal,
            may_grow: file.may_grow(),
            cursors: u32::try_from(self.cursors.len() - before).unwrap_or(u32::MAX),
        });
    }

    fn entry(&self, file: &Saved, cursors: &[Place]) -> Entry {
        let progress = |cursor: &Place| Progress {
            output: self.labels[cursor.output as usize].clone(),
            position: cursor.offset,
            anchor: cursor.anchor,
            skipping: cursor.skipping,
        };
        Entry {
            path: file.source.path.clone().into(),
            home: file.home.clone().into(),
            generation: file.source.generation.clone(),
            inode: file.inode,
            born: file.born,
            ordinal: file.ordinal,
            head: file.head,
            seen: file.seen,
            may_grow: file.may_grow,
            modified: file.modified,
            written: (file.written != file.modified).then_some(file.written),
            packed: file.packed,
            cursors: cursors.iter().map(progress).collect(),
        }
    }
}

/// As the entries, each of which is made for the moment in which it is written
impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cursors = self.cursors.as_slice();
        serializer.collect_seq(self.files.iter().map(|file| {
            let (own, others) = cursors.split_at(file.cursors as usize);
            cursors = others;
            self.entry(file, own)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_little_memory_until_it_is_written() {
        assert!(size_of::<Saved>() + size_of::<Place>() <= 152);
    }
}
