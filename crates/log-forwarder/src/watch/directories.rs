//! Watches the directories of the inputs, and finds those without events.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use super::{events::Events, inotify::Watcher};
use crate::content::volume::Inode;

/// Sweeps in a row that find more bytes, without an event in that time, before a directory counts as one without events.
const SILENT_SWEEPS: u32 = 2;

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
    silent_sweeps: u32,
    polled: bool,
}

impl Directories {
    pub(crate) fn new(events: &Events) -> Self {
        let watcher = Watcher::start(events.clone());
        let watcher =
            watcher.inspect_err(|error| tracing::warn!(%error, "no events of files can be had; they are polled")).ok();
        Self { watcher, watched: BTreeMap::new(), paths: HashMap::new() }
    }

    /// Watches these and no others, by the first path that leads to each. True if one is new, because files
    /// may have changed in it before the watch. One that was deleted and made again is new.
    pub(crate) fn watch(&mut self, wanted: &[PathBuf]) -> bool {
        let inode = |path: &PathBuf| Some((path.clone(), Inode::of(&path.metadata().ok()?)));
        self.paths = wanted.iter().filter_map(inode).collect();
        let gone = |(inode, watched): &(&Inode, &Watched)| self.paths.get(&watched.path) != Some(inode);
        let gone: Vec<_> = self.watched.iter().filter(gone).map(|(inode, _)| *inode).collect();
        for inode in gone {
            let path = self.watched.remove(&inode).map(|watched| watched.path);
            if let Some((watcher, path)) = self.watcher.as_ref().zip(path) {
                watcher.unwatch(&path);
            }
        }
        let mut is_new = false;
        for path in wanted {
            if let Some(inode) = self.paths.get(path)
                && !self.watched.contains_key(inode)
            {
                let watching = self.watcher.as_ref().map(|watcher| watcher.watch(path));
                if let Some(Err(error)) = &watching {
                    tracing::warn!(directory = %path.display(), %error, "cannot be watched; it is polled");
                }
                let polled = !matches!(watching, Some(Ok(())));
                let watched = Watched { path: path.clone(), size: 0, events: 0, silent_sweeps: 0, polled };
                self.watched.insert(*inode, watched);
                is_new = true;
            }
        }
        is_new
    }

    pub(crate) fn count(&mut self, counts: &HashMap<PathBuf, u64>) {
        for (path, count) in counts {
            if let Some(watched) = self.paths.get(path).and_then(|inode| self.watched.get_mut(inode)) {
                watched.events += count;
            }
        }
    }

    /// At each sweep: whether a directory's files, which have this number of bytes now, grew without an event.
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

    /// Whether some directory must be polled
    pub(crate) fn any_polled(&self) -> bool {
        self.watched.values().any(|watched| watched.polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_grow_now_and_then_without_events_are_found_out() {
        let home = tempfile::tempdir().unwrap().keep();
        let mut directories = Directories::new(&Events::default());
        directories.watch(std::slice::from_ref(&home));
        let mut judge = |size| {
            directories.judge(&BTreeMap::from([(home.clone(), size)]));
            directories.any_polled()
        };
        assert!(!judge(0) && !judge(10) && !judge(10) && !judge(10));
        assert!(judge(20));
        // An event in time proves that the directory has events.
        directories.watched.values_mut().for_each(|watched| watched.polled = false);
        directories.count(&HashMap::from([(home.clone(), 1)]));
        directories.judge(&BTreeMap::from([(home.clone(), 30)]));
        directories.judge(&BTreeMap::from([(home.clone(), 40)]));
        assert!(!directories.any_polled());
        std::fs::remove_dir(home).unwrap();
    }
}
