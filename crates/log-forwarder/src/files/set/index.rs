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
    /// For each output the files with more lines than it has, by the hash of their path: later files of the path wait for them.
    unfinished: Vec<BTreeSet<(u64, Key)>>,
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
        self.unfinished.push(BTreeSet::new());
    }

    /// A file has come.
    pub(super) fn add(&mut self, key: Key, file: &KnownFile) {
        self.by_path.insert(self.place(key, file));
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
        let place = self.place(key, file);
        for (output, (ready, parked)) in self.ready.iter_mut().zip(&mut self.parked).enumerate() {
            ready.set(key, file.unread(OutputId(output)).filter(|_| file.is_open()), self.now);
            set(parked, key, file.is_parked() && file.wants(OutputId(output)));
            set(&mut self.unfinished[output], place, has_more(file, OutputId(output)));
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
        let place = self.place(key, file);
        for places in self.unfinished.iter_mut().chain([&mut self.by_path]) {
            places.remove(&place);
        }
        self.gone.insert(file.source.path.clone());
        self.totals.exchange(Totals::of(file), Totals::default());
    }

    /// The files with a path and maybe others, oldest first
    pub(super) fn of_path(&self, path: &Path) -> impl Iterator<Item = Key> {
        let hash = self.hasher.hash_one(path);
        self.by_path.range((hash, Key::MIN)..=(hash, Key::MAX)).map(|(_, key)| *key)
    }

    /// The files with a path and maybe others that began before this one, and in which an output has more to read than it has
    pub(super) fn unfinished_before(&self, path: &Path, key: Key, output: OutputId) -> impl Iterator<Item = Key> {
        let hash = self.hasher.hash_one(path);
        self.unfinished[output.0].range((hash, Key::MIN)..(hash, key)).map(|(_, key)| *key)
    }

    fn place(&self, key: Key, file: &KnownFile) -> (u64, Key) {
        (self.hasher.hash_one(file.path()), key)
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

/// Whether an output lacks lines of a file that come before those of later files of its path. A file before one that was read can
/// have got its lines since then, for example in the place of lines that were copied away.
fn has_more(file: &KnownFile, output: OutputId) -> bool {
    let cursor = &file.cursors[output.0];
    if cursor.is_idle() { file.wants(output) || file.may_go_on(output) } else { cursor.in_flight_end < file.seen }
}

fn set<T: Ord>(keys: &mut BTreeSet<T>, key: T, is_in: bool) {
    if is_in {
        keys.insert(key);
    } else {
        keys.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use crate::{
        content::fingerprint::Head,
        files::{
            cursor::Cursor,
            example::file,
            fate::Fate,
            growth::Growth,
            ledger::Ledger,
            loss::LossReason,
            set::{Change, FileSet},
        },
    };

    use super::*;

    #[test]
    fn only_files_with_more_lines_are_asked_whether_a_later_file_of_their_path_waits_for_them() {
        const FILES: Key = 100;
        let (now, output) = (Instant::now(), OutputId(0));
        let mut set = FileSet::new(Ledger::new(&Registry::new()).unwrap());
        set.apply(Change::AddOutput("stdout://".into()), now);
        for key in 0..FILES {
            let known = file(now);
            let inode = Inode { inode: key, ..known.inode };
            let known = KnownFile { inode, seen: 0, head: Head::default(), cursors: vec![Cursor::default()], ..known };
            set.apply(Change::Begin(key, known.into()), now);
            let growth = Growth { size: 5, zeros: 0, modified: 1, born: None, head: Head::default() };
            set.apply(Change::Meet(key, Fate::Grow(growth)), now);
        }
        let older = |set: &FileSet| {
            let last = set.get(FILES - 1).unwrap();
            set.index.unfinished_before(last.path(), FILES - 1, output).count() as Key
        };
        for key in 0..FILES - 1 {
            assert_eq!((set.first_readable(output, 0..Key::MAX), older(&set)), (Some(key), FILES - 1 - key));
            let reason = LossReason::TooLong;
            set.apply(Change::Skip { key, output, bytes: b"line\n", within_cut: false, reason }, now);
        }
        assert_eq!((set.first_readable(output, 0..Key::MAX), older(&set)), (Some(FILES - 1), 0));
        set.apply(Change::Unfollow(FILES - 1), now);
        assert_eq!(set.first_readable(output, 0..Key::MAX), None);
    }
}
