//! Which files are due for what, kept up to date by each change, so that no question walks over all files.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use super::is_pinned;
use crate::{
    content::volume::Inode,
    files::known::{Key, KnownFile, OutputId},
};

/// Which files are due for what
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The file that an inode holds now
    pub(super) by_inode: BTreeMap<Inode, Key>,
    /// Most paths have one file. The keys ascend, because files come in their order.
    pub(super) by_path: HashMap<PathBuf, Vec<Key>>,
    /// For each output the open files in which it would find something to read
    pub(super) ready: Vec<Ready>,
    /// The same of the files that wait for a descriptor
    pub(super) parked: Vec<BTreeSet<Key>>,
    pub(super) restless: BTreeSet<Key>,
    /// Files whose metrics are out of date
    untold: BTreeSet<Key>,
    /// Paths of files that are gone, whose metrics are out of date
    gone: BTreeSet<PathBuf>,
    shares: BTreeMap<Key, Totals>,
    pub(super) totals: Totals,
}

/// The open files in which an output would find something to read
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// With the bytes that it lacks of each
    pub(super) files: BTreeMap<Key, u64>,
    pub(super) bytes: u64,
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
        self.by_path.entry(file.path().to_path_buf()).or_insert_with(|| Vec::with_capacity(1)).push(key);
        self.update(key, file);
    }

    /// A file has changed.
    pub(super) fn update(&mut self, key: Key, file: &KnownFile) {
        for (output, (ready, parked)) in self.ready.iter_mut().zip(&mut self.parked).enumerate() {
            let wants = file.wants(OutputId(output));
            ready.set(key, (wants && file.is_open()).then(|| file.behind(OutputId(output))));
            set(parked, key, wants && file.is_parked());
        }
        set(&mut self.restless, key, file.is_restless());
        self.untold.insert(key);
        let outputs = (0..self.ready.len()).map(OutputId);
        let share = Totals {
            open: usize::from(file.is_open()),
            pinned: if is_pinned(file) { file.size() } else { 0 },
            behind: outputs.map(|output| file.behind(output)).sum(),
        };
        let former = self.shares.insert(key, share).unwrap_or_default();
        self.totals.exchange(former, share);
    }

    /// A file has gone.
    pub(super) fn remove(&mut self, key: Key, file: &KnownFile) {
        self.ready.iter_mut().for_each(|ready| ready.set(key, None));
        for keys in self.parked.iter_mut().chain([&mut self.restless, &mut self.untold]) {
            keys.remove(&key);
        }
        if let Some(keys) = self.by_path.get_mut(file.path()) {
            keys.retain(|known| *known != key);
            if keys.is_empty() {
                self.by_path.remove(file.path());
            }
        }
        self.gone.insert(file.path().to_path_buf());
        let former = self.shares.remove(&key).unwrap_or_default();
        self.totals.exchange(former, Totals::default());
    }

    /// Files whose metrics are out of date. Those that are behind grow older, and stay so.
    pub(super) fn take_untold(&mut self) -> BTreeSet<Key> {
        let is_behind = |key: &Key| self.shares.get(key).is_some_and(|share| share.behind > 0);
        let behind = self.untold.iter().copied().filter(is_behind).collect();
        std::mem::replace(&mut self.untold, behind)
    }

    pub(super) fn take_gone_paths(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.gone)
    }
}

impl Ready {
    /// An output lacks these bytes of a file, or would find nothing in it.
    fn set(&mut self, key: Key, bytes: Option<u64>) {
        let former = match bytes {
            Some(bytes) => self.files.insert(key, bytes),
            None => self.files.remove(&key),
        };
        self.bytes = self.bytes + bytes.unwrap_or(0) - former.unwrap_or(0);
    }
}

impl Totals {
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
