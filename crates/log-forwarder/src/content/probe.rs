//! The real file system for tests of scans: it makes directories while a scan looks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::volume::{Disk, Entry, Handle, Stat, Volume};

/// A file system that a test observes
#[derive(Debug)]
pub(crate) struct Probe {
    /// Each is made when it was missed, if the directory above is there
    missing: Vec<PathBuf>,
}

impl Probe {
    /// Makes these directories, each right after it was looked for in vain.
    pub(crate) fn making(missing: Vec<PathBuf>) -> Arc<Self> {
        Self { missing }.into()
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
        Disk.list(directory)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        Disk.open(path)
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}
