//! All files that are known, in the order in which they began, and the books about them.
//!
//! All parts may read the set. Only [`FileSet::apply`] changes it: each change has a name, moves cursors, and writes the ledger in
//! the same step. So the ledger's equation, read = delivered + rejected + dropped + lost + in flight, is a property of this
//! one method.

mod apply;
mod index;
mod losing;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use self::apply::Change;
use self::index::{Index, Totals};
use super::{
    cursor::Cursor,
    known::{Access, FileState, Key, KnownFile, OutputId},
    ledger::Ledger,
    trust::Trust,
};
use crate::content::volume::{Inode, Stat};

/// Ordinals of inodes that are remembered. More are forgotten, because the first line also tells contents apart.
const MOST_ORDINALS: usize = 10_000;

/// An output, as the set knows it
#[derive(Debug)]
pub(crate) struct KnownOutput {
    pub(crate) label: Arc<str>,
    pub(crate) is_closed: bool,
}

/// All known files
#[derive(Debug)]
pub(crate) struct FileSet {
    /// In boxes, because half of a map's room is empty when keys ascend.
    files: BTreeMap<Key, Box<KnownFile>>,
    known_outputs: Vec<KnownOutput>,
    /// The number of contents that an inode has had, where that is known from before
    ordinals: BTreeMap<Inode, u32>,
    ledger: Ledger,
    index: Index,
    next_key: Key,
    /// Bytes that were settled since the last checkpoint
    settled: u64,
    /// A file has come, gone or moved, and the checkpoint must hold that soon.
    has_moved: bool,
}

impl FileSet {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            files: BTreeMap::new(),
            known_outputs: Vec::new(),
            ordinals: BTreeMap::new(),
            ledger,
            index: Index::default(),
            next_key: 0,
            settled: 0,
            has_moved: false,
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&KnownFile> {
        self.files.get(&key).map(Box::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &KnownFile)> {
        self.files.iter().map(|(key, file)| (*key, file.as_ref()))
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The outputs, by their numbers; those that were removed keep theirs.
    pub(crate) fn known_outputs(&self) -> &[KnownOutput] {
        &self.known_outputs
    }

    pub(crate) fn outputs(&self) -> impl Iterator<Item = OutputId> + use<> {
        (0..self.known_outputs.len()).map(OutputId)
    }

    /// The number of the output with a label, unless it was removed
    pub(crate) fn output(&self, label: &str) -> Option<OutputId> {
        self.known_outputs.iter().position(|output| *output.label == *label && !output.is_closed).map(OutputId)
    }

    /// The first position in a file, for each output
    pub(crate) fn fresh_cursors(&self) -> Vec<Cursor> {
        let cursor = |output: &KnownOutput| if output.is_closed { Cursor::closed() } else { Cursor::default() };
        self.known_outputs.iter().map(cursor).collect()
    }

    /// The key that the next file gets
    pub(crate) fn next_key(&self) -> Key {
        self.next_key
    }

    /// The file that an inode holds now
    pub(crate) fn holder(&self, inode: Inode) -> Option<Key> {
        self.index.by_inode.get(&inode).copied()
    }

    /// The known file that this is. An inode that was given to another file is not known.
    pub(crate) fn known(&self, stat: &Stat) -> Option<Key> {
        let key = self.holder(stat.inode)?;
        self.get(key).filter(|file| !stat.is_another(file.born)).map(|_| key)
    }

    pub(crate) fn knows(&self, stat: &Stat) -> bool {
        self.known(stat).is_some()
    }

    /// The inodes of all files that are read, or were, and when each was made
    pub(crate) fn touched_inodes(&self) -> BTreeSet<(Inode, Option<i64>)> {
        let files = self.index.by_inode.iter().filter_map(|(inode, key)| Some((*inode, self.get(*key)?)));
        files.filter(|(_, file)| !file.is_untouched()).map(|(inode, file)| (inode, file.born)).collect()
    }

    /// Whether this is one of them.
    pub(crate) fn has_touched(&self, stat: &Stat) -> bool {
        let holder = self.holder(stat.inode).and_then(|key| self.get(key));
        holder.is_some_and(|file| !file.is_untouched() && file.born == stat.born)
    }

    /// Whether this file is read, or was, and is as it is known. Where a file's number is its path's, the number of a file may have
    /// another file's content by now.
    pub(crate) fn has_read(&self, stat: &Stat) -> bool {
        let is_its_own = |file: &KnownFile| file.is_open() && file.trust == Trust::Full;
        let is_as_known = |file: &KnownFile| is_its_own(file) || file.is_unchanged(stat);
        self.known(stat).and_then(|key| self.get(key)).is_some_and(|file| !file.is_untouched() && is_as_known(file))
    }

    /// How many contents an inode has had before
    pub(crate) fn ordinal(&self, inode: Inode) -> u32 {
        self.ordinals.get(&inode).copied().unwrap_or(0)
    }

    /// The files that were found at a path, oldest first
    pub(crate) fn of_path<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (Key, &'a KnownFile)> {
        let files = self.index.of_path(path).filter_map(|key| Some((key, self.get(key)?)));
        files.filter(move |(_, file)| file.path() == path)
    }

    /// Files that are open
    pub(crate) fn open_count(&self) -> usize {
        self.index.totals.open
    }

    /// Bytes of deleted files that are open
    pub(crate) fn pinned(&self) -> u64 {
        self.index.totals.pinned
    }

    /// Bytes that some output has not settled yet
    pub(crate) fn behind(&self) -> u64 {
        self.index.totals.behind
    }

    /// The file that has grown last
    pub(crate) fn last_grown(&self) -> Option<&Path> {
        self.files.values().max_by_key(|file| file.grown).map(|file| file.path())
    }

    /// The files that must be looked at soon
    pub(crate) fn restless(&self) -> &BTreeSet<Key> {
        &self.index.restless
    }

    /// The first open file with a key in this range in which an output would find something to read
    pub(crate) fn first_readable(&self, output: OutputId, keys: Range<Key>) -> Option<Key> {
        let ready = self.index.ready[output.0].files.range(keys);
        ready.map(|(key, _)| *key).find(|key| self.is_readable(*key, output))
    }

    fn is_readable(&self, key: Key, output: OutputId) -> bool {
        self.get(key).is_some_and(|file| file.wants(output)) && !self.must_wait(key, output)
    }

    /// The open files that have more than an output has of them
    pub(crate) fn grown(&self, output: OutputId) -> impl Iterator<Item = Key> {
        let ready = self.index.ready[output.0].files.keys().copied();
        ready.filter(move |key| self.get(*key).is_some_and(|file| !file.cursors[output.0].is_idle()))
    }

    /// Since when the oldest bytes wait that an output could read now
    pub(crate) fn readable_since(&self, output: OutputId) -> Option<Instant> {
        let ready = self.index.ready[output.0].files.iter();
        ready.filter(|(key, _)| self.is_readable(**key, output)).filter_map(|(_, unread)| unread.since).min()
    }

    /// The bytes that an output lacks of all files in which it would find something to read, also of those that wait for an
    /// older one of their path
    pub(crate) fn readable_bytes(&self, output: OutputId) -> u64 {
        self.index.ready[output.0].bytes
    }

    /// The same of the files that wait for a descriptor
    pub(crate) fn parked(&self, output: OutputId) -> impl Iterator<Item = Key> {
        self.index.parked[output.0].iter().copied().filter(move |key| !self.must_wait(*key, output))
    }

    /// Whether an output has something to read in an older file of the same path. A batch may have the rest of that file, and
    /// this one's lines behind it.
    fn must_wait(&self, key: Key, output: OutputId) -> bool {
        let Some(file) = self.get(key) else { return false };
        let mut older = self.index.unfinished_before(file.path(), key, output);
        older.any(|older| self.get(older).is_some_and(|older| older.path() == file.path()))
    }

    /// Bytes that were settled since [`Self::begin_checkpoint`], and whether a file has come, gone or moved since
    pub(crate) fn unsaved(&self) -> (u64, bool) {
        (self.settled, self.has_moved)
    }

    /// A checkpoint is made of the present state. Returns the changes since the last one.
    pub(crate) fn begin_checkpoint(&mut self) -> (u64, bool) {
        (std::mem::take(&mut self.settled), std::mem::take(&mut self.has_moved))
    }

    /// A checkpoint was not written: the changes that it held are due again.
    pub(crate) fn undo_checkpoint(&mut self, (settled, has_moved): (u64, bool)) {
        self.settled += settled;
        self.has_moved |= has_moved;
    }

    /// Something beside the files has changed that the checkpoint holds.
    pub(crate) fn ask_for_checkpoint(&mut self) {
        self.has_moved = true;
    }

    /// Whether every file is settled and still, for a stop that came at `since`.
    pub(crate) fn is_over(&self, since: Instant, period: Duration, now: Instant) -> bool {
        self.files.values().all(|file| {
            file.is_all_settled() && (file.state == FileState::Lost || file.is_still(Some(since), period, now))
        })
    }

    /// Sets the metrics of the files that have changed since the last call, and of those that are behind.
    pub(crate) fn set_metrics(&mut self, now: Instant) {
        let files = &self.files;
        let keys = self.index.take_stale_metrics(|key| files.get(&key).is_some_and(|file| Totals::of(file).behind > 0));
        let paths = keys.iter().filter_map(|key| Some(self.files.get(key)?.source.path.clone()));
        let paths: BTreeSet<_> = paths.chain(self.index.take_gone_paths()).collect();
        for (id, output) in self.outputs().zip(&self.known_outputs) {
            let lag = |path: &Arc<Path>| self.lag(path, id, now).filter(|_| !output.is_closed);
            self.ledger.lag.set(&output.label, paths.iter().map(|path| (path.clone(), lag(path))));
        }
        self.ledger.open_files.set(i64::try_from(self.open_count()).unwrap_or(i64::MAX));
        self.ledger.pinned.set(self.pinned().cast_signed());
    }

    /// Whether the metrics of open files say what is so: a file can be closed without any other news.
    pub(crate) fn are_gauges_set(&self) -> bool {
        let Ledger { open_files, pinned, .. } = &self.ledger;
        open_files.get() == (self.open_count() as u64).cast_signed() && pinned.get() == self.pinned().cast_signed()
    }

    /// How far an output is behind in the files of a path, and since when
    fn lag(&self, path: &Path, output: OutputId, now: Instant) -> Option<(u64, Duration)> {
        let (mut behind, mut age, mut is_live) = (0, Duration::ZERO, false);
        for (_, file) in self.of_path(path) {
            behind += file.behind(output);
            // Of several files of one path, the oldest counts.
            age = age.max(file.age(output, now));
            is_live |= file.state == FileState::Live;
        }
        (is_live || behind > 0).then_some((behind, age))
    }
}

/// Whether a file's bytes would be gone with its descriptor
fn is_pinned(file: &KnownFile) -> bool {
    file.state == FileState::Deleted && matches!(file.access, Access::Open(_))
}
