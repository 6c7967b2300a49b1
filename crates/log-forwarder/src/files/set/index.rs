//! The files that can be read, wait for a descriptor or need a look, kept up to date by each change, so that no question walks
//! over all files.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::Arc,
    time::Instant,
};

use super::is_pinned;
use crate::{
    content::volume::Inode,
    files::known::{Key, KnownFile, OutputId},
};

/// Keys of files by their need, and sums over all files
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The file that an inode holds now
    pub(super) by_inode: BTreeMap<Inode, Key>,
    /// By the hash of their path, which may be that of other paths too; the keys of one ascend.
    by_path: BTreeSet<(u64, Key)>,
    hasher: RandomState,
    /// For each output the open files in which it would find something to read, now or once it has settled what it has
    pub(super) ready: Vec<Ready>,
    /// For each output the files that wait for a descriptor, in which it would find something now
    pub(super) parked: Vec<BTreeSet<Key>>,
    pub(super) restless: BTreeSet<Key>,
    /// Files whose metrics are out of date
    stale_metrics: BTreeSet<Key>,
    /// Paths of files that are gone, whose metrics are out of date
    gone: BTreeSet<Arc<Path>>,
    pub(super) totals: Totals,
    /// When the latest change was made
    pub(super) now: Option<Instant>,
}

/// The open files in which an output would find something to read
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) files: BTreeMap<Key, Unread>,
    pub(super) bytes: u64,
}

/// The bytes of a file that an output lacks
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread {
    pub(super) bytes: u64,
    /// When the first of them could be read
    pub(super) since: Option<Instant>,
}

/// Sums over all files, or the share of one
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) open: usize,
    pub(super) pinned: u64,
    pub(super) behind: u64,
}

impl Index {
    /// An output has come.
    pub(super) fn add_output(&mut self) {
        self.ready.push(Ready::default());
        self.parked.push(BTreeSet::new());
    }

    /// A file has come.
    pub(super) fn add(&mut self, key: Key, file: &KnownFile) {
        self.by_path.insert((self.hasher.hash_one(file.path()), key));
        self.update(key, file, Totals::default());
    }

    /// Changes a file.
    pub(super) fn change(&mut self, key: Key, file: &mut KnownFile, change: impl FnOnce(&mut KnownFile)) {
        let former = Totals::of(file);
        change(file);
        self.update(key, file, former);
    }

    /// A file has changed, which had this share before.
    fn update(&mut self, key: Key, file: &KnownFile, former: Totals) {
        for (output, (ready, parked)) in self.ready.iter_mut().zip(&mut self.parked).enumerate() {
            ready.set(key, file.unread(OutputId(output)).filter(|_| file.is_open()), self.now);
            set(parked, key, file.is_parked() && file.wants(OutputId(output)));
        }
        set(&mut self.restless, key, file.is_restless());
        self.stale_metrics.insert(key);
        self.totals.exchange(former, Totals::of(file));
    }

    /// A file has gone.
    pub(super) fn remove(&mut self, key: Key, file: &KnownFile) {
        self.ready.iter_mut().for_each(|ready| ready.set(key, None, None));
        for keys in self.parked.iter_mut().chain([&mut self.restless, &mut self.stale_metrics]) {
            keys.remove(&key);
        }
        self.by_path.remove(&(self.hasher.hash_one(file.path()), key));
        self.gone.insert(file.source.path.clone());
        self.totals.exchange(Totals::of(file), Totals::default());
    }

    /// The files with a path and maybe others, oldest first
    pub(super) fn of_path(&self, path: &Path) -> impl DoubleEndedIterator<Item = Key> {
        self.of_path_before(path, Key::MAX)
    }

    /// Those of them that began before this one
    pub(super) fn of_path_before(&self, path: &Path, key: Key) -> impl DoubleEndedIterator<Item = Key> {
        let hash = self.hasher.hash_one(path);
        self.by_path.range((hash, Key::MIN)..(hash, key)).map(|(_, key)| *key)
    }

    /// Files whose metrics are out of date. Those that are behind grow older, and stay so.
    pub(super) fn take_stale_metrics(&mut self, is_behind: impl Fn(Key) -> bool) -> BTreeSet<Key> {
        let behind = self.stale_metrics.iter().copied().filter(|key| is_behind(*key)).collect();
        std::mem::replace(&mut self.stale_metrics, behind)
    }

    pub(super) fn take_gone_paths(&mut self) -> BTreeSet<Arc<Path>> {
        std::mem::take(&mut self.gone)
    }
}

impl Ready {
    /// An output lacks these bytes of a file, or would find nothing in it.
    fn set(&mut self, key: Key, bytes: Option<u64>, now: Option<Instant>) {
        let former = self.files.get(&key).copied();
        match bytes {
            Some(bytes) => {
                let since = former.map_or(now, |former| former.since);
                self.files.insert(key, Unread { bytes, since });
            }
            None => drop(self.files.remove(&key)),
        }
        self.bytes = self.bytes + bytes.unwrap_or(0) - former.map_or(0, |former| former.bytes);
    }
}

impl Totals {
    /// The share of a file
    pub(super) fn of(file: &KnownFile) -> Self {
        let outputs = (0..file.cursors.len()).map(OutputId);
        Self {
            open: usize::from(file.is_open()),
            pinned: if is_pinned(file) { file.size() } else { 0 },
            behind: outputs.map(|output| file.behind(output)).sum(),
        }
    }

    fn exchange(&mut self, former: Self, now: Self) {
        self.open = self.open + now.open - former.open;
        self.pinned = self.pinned + now.pinned - former.pinned;
        self.behind = self.behind + now.behind - former.behind;
    }
}

fn set(keys: &mut BTreeSet<Key>, key: Key, is_in: bool) {
    if is_in {
        keys.insert(key);
    } else {
        keys.remove(&key);
    }
}
