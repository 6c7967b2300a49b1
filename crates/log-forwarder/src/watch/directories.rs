//! Watches the directories of the inputs, and finds those without events.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lifecycle::io_text;

use super::{
    events::Events,
    inotify::{Watch, Watcher},
};
use crate::{
    content::volume::{Inode, is_on_remote_mount},
    files::follower::Follower,
};

/// Between two looks at the open files that have not been idle for long, when there are events; and
/// between two scans where another host may make files without an event
const SWEEP: Duration = Duration::from_secs(2);
/// Between two scans for new files, when there are events; the open ones are all looked at
const SCAN: Duration = Duration::from_secs(30);
/// Between two looks, and between two scans, where there are no events
pub(super) const POLL: Duration = Duration::from_millis(200);
/// Sweeps that find more bytes, since the last event of a directory, before it counts as one
/// without events. Sweeps that find no more bytes do not change the count.
const SILENT_SWEEPS: u32 = 2;
/// After a file was deleted, its directory may be deleted, too. The event of that comes late,
/// because a file of it that is open, here or in the app, keeps the directory. The next sweep comes
/// within this time.
const CHECKED: Duration = Duration::from_secs(2);

/// Scans in a row that find new directories, before other work gets its turn. One is enough, unless
/// directories come and go while names are listed.
const ROUNDS: u32 = 8;

/// The watched directories. One has one watch, however many paths lead to it.
pub(crate) struct Directories {
    watcher: Option<Watcher>,
    watched: BTreeMap<Inode, Watched>,
    /// Which directory a path leads to
    paths: HashMap<PathBuf, Inode>,
}

struct Watched {
    /// The path that events tell
    path: PathBuf,
    /// Bytes of all its files at the last sweep
    size: u64,
    events: u64,
    /// Sweeps since the last event that found more bytes
    silent_sweeps: u32,
    /// It counts as one without events, as long as it is watched: events that come later do not say
    /// that all come.
    polled: bool,
    /// Another host may make files in it without an event.
    is_remote: bool,
    watch: Option<Watch>,
    /// The event of the watch's end may be lost.
    is_doubtful: bool,
    /// Until when each pass asks whether its path leads to another directory
    checked_until: Option<Instant>,
}

impl Directories {
    pub(crate) fn new(events: &Events) -> Self {
        let watcher = Watcher::start(events.clone());
        if let Err(error) = &watcher {
            tracing::warn!(error = io_text(error), "no events of files can be had; they are polled");
        }
        let watcher = watcher.ok();
        Self { watcher, watched: BTreeMap::new(), paths: HashMap::new() }
    }

    /// Takes note of events of directories: files were deleted in these, or anything may have
    /// happened.
    pub(crate) fn doubt(&mut self, deletions: &HashSet<PathBuf>, is_overflow: bool) {
        for watched in self.watched.values_mut() {
            watched.is_doubtful |= is_overflow;
            if deletions.contains(&watched.path) {
                watched.checked_until = Some(Instant::now() + CHECKED);
            }
        }
    }

    /// Watches the directories that matter, and looks for names again until there is no further
    /// one. False if there may be more.
    pub(crate) fn follow(&mut self, follower: &mut Follower) -> bool {
        for _ in 0..ROUNDS {
            if !self.watch(&follower.directories()) {
                return true;
            }
            // Files and directories may have come in a directory before it was watched.
            follower.scan_names(Instant::now());
        }
        false
    }

    /// Watches these and no others, by the first path that leads to each. True if names are to be
    /// looked at again, because a directory is new, or is gone, so that the one above it is to be
    /// watched.
    pub(crate) fn watch(&mut self, wanted: &[PathBuf]) -> bool {
        self.paths = wanted.iter().filter_map(|path| Some((path.clone(), inode_of(path)?))).collect();
        let gone = |(inode, watched): &(&Inode, &Watched)| self.paths.get(&watched.path) != Some(inode);
        let gone: Vec<_> = self.watched.iter().filter(gone).map(|(inode, _)| *inode).collect();
        for inode in gone {
            let watch = self.watched.remove(&inode).and_then(|watched| watched.watch);
            if let Some((watcher, watch)) = self.watcher.as_ref().zip(watch) {
                watcher.unwatch(watch);
            }
        }
        let mut is_new = self.paths.len() < wanted.len();
        for path in wanted {
            if let Some(inode) = self.paths.get(path).copied()
                && self.watched.get(&inode).is_none_or(|watched| watched.path == *path && self.has_lost(watched))
            {
                is_new |= self.begin(path, inode);
            }
        }
        is_new
    }

    /// Whether a watch has ended, because its directory was deleted, or may have.
    fn has_lost(&self, watched: &Watched) -> bool {
        let has = |watch| self.watcher.as_ref().is_some_and(|watcher| watcher.has(watch));
        watched.is_doubtful || watched.watch.is_some_and(|watch| !has(watch))
    }

    /// Watches a directory, or does so again. True if it had no watch before.
    fn begin(&mut self, path: &Path, inode: Inode) -> bool {
        let watching = self.watcher.as_ref().map(|watcher| watcher.watch(path));
        let watch = watching.as_ref().and_then(|watching| watching.as_ref().ok().copied());
        if watch.is_none() && inode_of(path) != Some(inode) {
            // It has gone in between, which the next call sees.
            return true;
        }
        let watched = self.watched.entry(inode).or_insert_with(|| Watched::new(path));
        let is_new = watch.is_none() || watched.watch != watch;
        if let Some((watcher, former)) = self.watcher.as_ref().zip(watched.watch).filter(|_| is_new) {
            watcher.unwatch(former);
        }
        if let Some(Err(error)) = watching {
            let error = io_text(&error);
            tracing::warn!(directory = %path.display(), error, "cannot be watched; it is polled");
        }
        watched.polled |= watch.is_none();
        (watched.watch, watched.is_doubtful) = (watch, false);
        is_new
    }

    /// Whether a path leads to another directory than before. There is no event when a directory
    /// above it was renamed, or a link to it was changed; that is seen at a sweep.
    pub(crate) fn has_moved(&self, is_sweep: bool) -> bool {
        let leads_elsewhere = |path: &Path, inode: &Inode| inode_of(path) != Some(*inode);
        if is_sweep {
            return self.paths.iter().any(|(path, inode)| leads_elsewhere(path, inode));
        }
        let mut checked = self.watched.iter().filter(|(_, watched)| watched.is_checked());
        checked.any(|(inode, watched)| leads_elsewhere(&watched.path, inode))
    }

    /// Whether a directory is to be checked at each pass
    pub(crate) fn any_checked(&self) -> bool {
        self.watched.values().any(Watched::is_checked)
    }

    pub(crate) fn count(&mut self, counts: &HashMap<PathBuf, u64>) {
        for (path, count) in counts {
            if let Some(watched) = self.paths.get(path).and_then(|inode| self.watched.get_mut(inode)) {
                watched.events += count;
            }
        }
    }

    /// At each sweep: whether a directory's files, which have this number of bytes now, grew
    /// without an event.
    pub(crate) fn judge(&mut self, sizes: &BTreeMap<PathBuf, u64>) {
        let mut by_inode: HashMap<Inode, u64> = HashMap::new();
        for (home, size) in sizes {
            if let Some(inode) = self.paths.get(home) {
                *by_inode.entry(*inode).or_default() += size;
            }
        }
        for (inode, watched) in &mut self.watched {
            let size = by_inode.get(inode).copied().unwrap_or(0);
            let is_silent = size > watched.size && watched.events == 0;
            watched.silent_sweeps = match watched.events {
                0 => watched.silent_sweeps + u32::from(is_silent),
                _ => 0,
            };
            if watched.silent_sweeps >= SILENT_SWEEPS && !watched.polled {
                tracing::info!(directory = %watched.path.display(), "its files grow without events; it is polled");
                watched.polled = true;
            }
            (watched.size, watched.events) = (size, 0);
        }
    }

    /// Between two looks at the files, and between two scans for new ones
    pub(crate) fn pauses(&self) -> (Duration, Duration) {
        match () {
            () if self.any_polled() => (POLL, POLL),
            () if self.watched.values().any(|watched| watched.is_remote) => (SWEEP, SWEEP),
            () => (SWEEP, SCAN),
        }
    }

    /// Whether some directory must be polled
    pub(crate) fn any_polled(&self) -> bool {
        self.watched.values().any(|watched| watched.polled)
    }
}

impl Watched {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            size: 0,
            events: 0,
            silent_sweeps: 0,
            polled: false,
            is_remote: is_on_remote_mount(path),
            watch: None,
            is_doubtful: false,
            checked_until: None,
        }
    }

    fn is_checked(&self) -> bool {
        self.checked_until.is_some_and(|until| Instant::now() < until)
    }
}

fn inode_of(path: &Path) -> Option<Inode> {
    path.metadata().ok().map(|metadata| Inode::of(&metadata))
}

#[cfg(test)]
mod tests;
