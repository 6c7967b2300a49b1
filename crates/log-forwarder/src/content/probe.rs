//! The real file system for tests of scans: it counts listings, and makes directories while a scan looks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::volume::{Disk, Entry, Handle, Stat, Volume};

/// A file system that a test observes
#[derive(Debug, Default)]
pub(crate) struct Probe {
    listings: AtomicUsize,
    /// Each is made when it was missed, if the directory above is there
    missing: Vec<PathBuf>,
}

impl Probe {
    /// Makes these directories, each right after it was looked for in vain.
    pub(crate) fn making(missing: Vec<PathBuf>) -> Arc<Self> {
        Self { missing, ..Self::default() }.into()
    }

    /// How many directories were listed since the last call
    pub(crate) fn take_listings(&self) -> usize {
        self.listings.swap(0, Relaxed)
    }
}

impl Volume for Probe {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let stat = Disk.stat(path);
        if stat.is_err() && self.missing.iter().any(|missing| missing == path) {
            // It fails where the directory above is missing, too.
            let _ = fs::create_dir(path);
        }
        stat
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.listings.fetch_add(1, Relaxed);
        Disk.list(directory)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        Disk.open(path)
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}
