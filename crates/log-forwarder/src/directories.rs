//! Watches the directories of the inputs, and finds out which of them tell nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::{catalog::Catalog, events::Events};

/// A file that has grown between two sweeps, without an event, so often in a row means that there are no events.
const SILENT_SWEEPS: u32 = 2;

/// The watched directories
pub(crate) struct Directories {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Watched>,
}

#[derive(Default)]
struct Watched {
    /// Bytes of all its files at the last sweep
    size: u64,
    events: u64,
    silent_sweeps: u32,
    polled: bool,
}

impl Directories {
    pub(crate) fn new(events: &Events) -> Self {
        let watcher = notify::recommended_watcher(events.handler());
        let watcher =
            watcher.inspect_err(|error| tracing::warn!(%error, "no events of files can be had; they are polled")).ok();
        Self { watcher, watched: BTreeMap::new() }
    }

    /// Watches these and no others. True if one is new, in which something may have happened meanwhile.
    pub(crate) fn watch(&mut self, wanted: &BTreeSet<PathBuf>) -> bool {
        let gone: Vec<_> = self.watched.keys().filter(|path| !wanted.contains(*path)).cloned().collect();
        for path in gone {
            self.watched.remove(&path);
            // It fails when the directory is gone, and its watch with it.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(&path));
        }
        let mut is_new = false;
        for path in wanted {
            if !self.watched.contains_key(path) {
                let watching = self.watcher.as_mut().map(|watcher| watcher.watch(path, RecursiveMode::NonRecursive));
                if let Some(Err(error)) = &watching {
                    tracing::warn!(directory = %path.display(), %error, "cannot be watched; it is polled");
                }
                let polled = !matches!(watching, Some(Ok(())));
                self.watched.insert(path.clone(), Watched { polled, ..Watched::default() });
                is_new = true;
            }
        }
        is_new
    }

    pub(crate) fn count(&mut self, counts: &HashMap<PathBuf, u64>) {
        for (path, count) in counts {
            if let Some(watched) = self.watched.get_mut(path) {
                watched.events += count;
            }
        }
    }

    /// At each sweep: whether a directory's files grew although nothing was heard of it.
    pub(crate) fn judge(&mut self, catalog: &Catalog) {
        let mut sizes: BTreeMap<&PathBuf, u64> = BTreeMap::new();
        for generation in catalog.generations.values().filter(|generation| generation.file.is_some()) {
            *sizes.entry(&generation.home).or_default() += generation.seen;
        }
        for (path, watched) in &mut self.watched {
            let size = sizes.get(path).copied().unwrap_or(0);
            let is_silent = size > watched.size && watched.events == 0;
            watched.silent_sweeps = if is_silent { watched.silent_sweeps + 1 } else { 0 };
            if watched.silent_sweeps >= SILENT_SWEEPS && !watched.polled {
                tracing::info!(directory = %path.display(), "its files grow without events; it is polled");
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
