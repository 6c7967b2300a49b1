//! All parts of following files, as the tail, the couriers and the saver share them.

mod completing;
mod feed;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

use super::{
    aside::{set_aside, take_up},
    descriptors::Descriptors,
    fate::Fate,
    known::{FileState, Key, KnownFile, OutputId},
    ledger::Ledger,
    listings::Listings,
    look::Looker,
    names::{Names, Rename},
    reading::Bounds,
    scan::{Scan, Scanner},
    set::{Change, FileSet},
    sharing::Sharing,
    trust::Trust,
};
pub(crate) use super::{decide::Policy, resumed::resume_file};
use crate::{
    content::volume::Volume,
    own_files::OwnFiles,
    records::{pool::Pool, span::Span, treatment::Treatment},
    settings::input::Input,
};

/// Bytes that a restart delivers again at most, not counting those that are delivered during a save
pub(crate) const MOST_SETTLED: u64 = 8 * 1024 * 1024;

/// The files to read, and how to read them
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) inputs: Vec<Input>,
    pub(crate) bounds: Bounds,
    /// Bytes with which a batch of several files ends, after one longer line at most
    pub(crate) gathered: usize,
    pub(crate) policy: Policy,
}

/// All parts of following files
pub(crate) struct Follower {
    pub(crate) set: FileSet,
    pub(crate) names: Names,
    pub(crate) descriptors: Descriptors,
    pub(crate) pool: Pool,
    /// Notified when a checkpoint is due, and when lines are delivered that no checkpoint holds
    pub(crate) is_due: Arc<Notify>,
    pub(crate) scanner: Scanner,
    looker: Looker,
    bounds: Bounds,
    gathered: usize,
    /// How often other settings were taken
    pub(crate) reloads: u64,
    /// For each output the key from which it looks on, so that no file keeps another waiting
    turns: BTreeMap<OutputId, Key>,
    /// Since when an output waits for the next attempt to read a file
    failed: BTreeMap<(Key, OutputId), Instant>,
}

/// Shared by the tail and the couriers; no lock is held while something is waited for.
pub(crate) type Shared = Arc<Mutex<Follower>>;

pub(crate) fn lock(follower: &Shared) -> MutexGuard<'_, Follower> {
    follower.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Follower {
    pub(crate) fn new(settings: Settings, ledger: Ledger, descriptors: Descriptors, volume: Arc<dyn Volume>) -> Self {
        Self {
            set: FileSet::new(ledger),
            names: Names::default(),
            descriptors,
            pool: Pool::default(),
            is_due: Arc::default(),
            scanner: Scanner::new(settings.inputs),
            looker: Looker::new(volume, OwnFiles::default(), settings.policy),
            bounds: settings.bounds,
            gathered: settings.gathered,
            reloads: 0,
            turns: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    pub(crate) fn own_files(&self) -> &OwnFiles {
        &self.looker.own_files
    }

    pub(crate) fn volume(&self) -> &Arc<dyn Volume> {
        &self.looker.volume
    }

    /// How the file is read that was found at a path
    pub(crate) fn treatment(&self, path: &Path) -> Arc<Treatment> {
        self.scanner.treatment(path)
    }

    /// Lines that wait, as the settings say now. Those of an input that is gone stay as they are.
    pub(crate) fn retreated(&self, span: &Span) -> Span {
        let mut inputs = self.scanner.inputs.iter();
        let input = inputs.find(|input| input.matches(&span.source.path));
        input.map_or_else(|| span.clone(), |input| span.retreated(&input.treatment))
    }

    /// When the stop signal came
    pub(crate) fn stopping(&self) -> Option<Instant> {
        self.looker.policy.stopping
    }

    /// The stop signal has come.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.looker.policy.stopping = Some(now);
    }

    /// Adds an output, which gets all existing lines; returns its number.
    pub(crate) fn add_output(&mut self, label: String) -> OutputId {
        let output = OutputId(self.set.known_outputs().len());
        self.set.apply(Change::AddOutput(label), Instant::now());
        output
    }

    /// Takes other settings. Files that no input matches any more are not read on; lines that were read from them are delivered.
    pub(crate) fn take_settings(&mut self, settings: Settings, now: Instant) {
        self.scanner.inputs = settings.inputs;
        self.reloads += 1;
        (self.bounds, self.gathered) = (settings.bounds, settings.gathered);
        self.looker.policy = Policy { stopping: self.stopping(), ..settings.policy };
        self.looker.complaints.judge_again();
        let keys: Vec<Key> = self.set.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(file) = self.set.get(key) else { continue };
            let path = file.source.path.clone();
            if self.scanner.inputs.iter().any(|input| input.matches(&path)) {
                take_up(&mut self.set, key, self.scanner.treatment(&path), now);
            } else if file.state != FileState::Aside {
                tracing::info!(file = %path.display(), "no input leads to it any more");
                set_aside(&mut self.set, key, now);
            }
        }
        self.names.keep_those_of(&self.scanner.inputs);
        self.set.ask_for_checkpoint();
    }

    /// Without a checkpoint that can be read, all rotated files of the inputs count as unread.
    pub(crate) fn distrust_names(&mut self) {
        self.names.distrust(self.scanner.watched_paths(self.looker.volume.as_ref()));
        self.scanner.selecting.resume(self.scanner.inputs.iter().map(|input| input.text().to_owned()));
    }

    /// After a restart, with all files of the checkpoint resumed: judges which files beside them are new.
    pub(crate) fn judge_absence(&mut self, saved: Option<i64>) {
        let volume = self.looker.volume.clone();
        self.names.judge_absence(&self.set, &mut Listings::new(volume.as_ref()), saved);
    }

    /// Begins with a file of the last run that is there.
    pub(crate) fn begin(&mut self, key: Key, file: KnownFile, now: Instant) {
        self.set.apply(Change::Begin(key, file.into()), now);
        let is_over = self.set.open_count() > self.descriptors.budget;
        if is_over && self.set.get(key).is_some_and(KnownFile::is_open) {
            self.set.apply(Change::Meet(key, Fate::Park), now);
        }
    }

    /// Begins with files of the last run that are not where they were: the content of each is in a copy, or lost.
    pub(crate) fn begin_missing(&mut self, files: Vec<(Key, KnownFile)>, now: Instant) {
        self.looker.leave_behind(&mut self.set, &self.names, files, now);
    }

    /// Finds files that have come, and marks those that have gone. `is_overflow` says that renames got lost.
    pub(crate) fn scan(&mut self, renames: Vec<Rename>, is_overflow: bool, now: Instant) {
        // Only the present state of the known files says which file is a copy of which.
        self.look_at_all(now);
        if is_overflow {
            self.names.note_lost_events();
        }
        self.names.follow(renames, &self.scanner.inputs);
        self.scan_names(now);
    }

    /// The second half of a scan
    pub(crate) fn scan_names(&mut self, now: Instant) {
        let Self { set, names, looker, scanner, descriptors, bounds, .. } = self;
        let (budget, longest, clock) = (descriptors.budget, bounds.line, SystemTime::now());
        scanner.scan(&mut Scan { set, names, looker, budget, longest, now, clock });
    }

    /// Looks at all files: whether they have grown, were truncated or deleted, or are complete. True if there is news.
    pub(crate) fn look_at_all(&mut self, now: Instant) -> bool {
        let keys = self.set.iter().map(|(key, _)| key).collect();
        self.look_at(keys, now)
    }

    /// Looks at the files that were written, those that have grown within this time, and those that are to end soon.
    pub(crate) fn look_at_busy(&mut self, written: &HashSet<PathBuf>, idle: Duration, now: Instant) -> bool {
        let volume = &self.looker.volume;
        let inodes = written.iter().filter_map(|path| volume.stat(path).ok()).map(|stat| stat.inode);
        let inodes: Vec<_> = inodes.collect();
        if inodes.iter().any(|inode| self.scanner.selecting.is_ignored(*inode)) {
            self.names.doubt();
        }
        let mut keys: BTreeSet<Key> = inodes.into_iter().filter_map(|inode| self.set.holder(inode)).collect();
        keys.extend(self.set.restless());
        if !idle.is_zero() {
            // No event tells that lines came in the place of NULs, where an app maps its file into memory, nor behind a size that
            // the system states wrongly.
            let is_untold = |file: &KnownFile| file.zeros > 0 || file.trust == Trust::None;
            let is_busy = |file: &KnownFile| is_untold(file) || now.saturating_duration_since(file.grown) < idle;
            keys.extend(self.set.iter().filter(|(_, file)| is_busy(file)).map(|(key, _)| key));
        }
        self.look_at(keys.into_iter().collect(), now)
    }

    fn look_at(&mut self, keys: Vec<Key>, now: Instant) -> bool {
        let is_news = self.retry_failed(now) | self.looker.look(&mut self.set, &mut self.names, keys, now);
        self.ask_for_saver();
        is_news
    }

    /// Gives descriptors to files that wait for one. True if there is something new to read.
    pub(crate) fn share(&mut self, now: Instant) -> bool {
        let Self { descriptors, set, names, looker, .. } = self;
        Sharing { descriptors, set, names, looker, now }.share()
    }

    /// Stops reading files that a writer of ours has opened since they were found, under another name.
    pub(crate) fn drop_own_files(&mut self, now: Instant) {
        for inode in self.looker.own_files.inodes() {
            let Some(key) = self.set.holder(inode) else { continue };
            if let Some(file) = self.set.get(key) {
                self.looker.complaints.warn(file.path(), "is not read", "it is written here", now);
                self.set.apply(Change::Unfollow(key), now);
            }
        }
    }

    /// Applies a change of the books that an output has caused.
    pub(crate) fn account(&mut self, change: Change) {
        let was_saved = self.set.unsaved().0 == 0;
        self.set.apply(change, Instant::now());
        if was_saved && self.set.unsaved().0 > 0 {
            self.is_due.notify_one();
        }
        self.ask_for_saver();
    }

    fn ask_for_saver(&self) {
        if self.set.unsaved().0 >= MOST_SETTLED {
            self.is_due.notify_one();
        }
    }

    /// Whether after a stop nothing is left to do.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let Policy { stopping, quiet_period, .. } = self.looker.policy;
        stopping.is_some_and(|since| {
            now.saturating_duration_since(since) >= quiet_period && self.set.is_over(since, quiet_period, now)
        })
    }

    /// The directories in which something can happen that matters
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        self.scanner.directories(&self.set, self.looker.volume.as_ref())
    }

    /// The bytes of all files of each directory that can grow, also of those that are not open: which of them are open changes without
    /// events.
    pub(crate) fn sizes(&self) -> BTreeMap<PathBuf, u64> {
        let mut sizes = BTreeMap::new();
        for (_, file) in self.set.iter().filter(|(_, file)| file.packed_size.is_none()) {
            match sizes.get_mut(file.home.as_ref()) {
                Some(size) => *size += file.seen,
                None => drop(sizes.insert(file.home.to_path_buf(), file.seen)),
            }
        }
        sizes
    }

    /// The files that a checkpoint holds
    pub(crate) fn saved_files(&self) -> impl Iterator<Item = &KnownFile> {
        // A file that is lost cannot be found again.
        self.set.iter().map(|(_, file)| file).filter(|file| file.state != FileState::Lost)
    }
}

#[cfg(test)]
pub(crate) mod tests;
