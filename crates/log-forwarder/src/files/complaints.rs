//! Warnings about single files: at the first failure, when its reason changes, and every 30 s.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    path::{Path, PathBuf},
    time::Instant,
};

use lifecycle::LogThrottle;

/// Files about which there was a warning
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    throttles: HashMap<PathBuf, LogThrottle>,
    /// Files that were said to be left alone
    left: HashSet<PathBuf>,
}

impl Complaints {
    /// Warns that something failed, and is tried again.
    pub(crate) fn warn(&mut self, path: &Path, what: &str, error: impl Display, now: Instant) {
        let error = error.to_string();
        if self.throttles.entry(path.to_path_buf()).or_default().is_due(&error, now) {
            tracing::warn!(file = %path.display(), error, "{what}; it is tried again");
        }
    }

    /// Warns once that a file is not read, which no further attempt will change.
    pub(crate) fn leave(&mut self, path: &Path, reason: &str) {
        if self.left.insert(path.to_path_buf()) {
            tracing::warn!(file = %path.display(), reason, "the file is not read");
        }
    }

    /// The file of a path is fine.
    pub(crate) fn settle(&mut self, path: &Path) {
        self.throttles.remove(path);
        self.left.remove(path);
    }

    /// Forgets the files that are neither known nor there.
    pub(crate) fn keep(&mut self, is_needed: impl Fn(&Path) -> bool) {
        self.throttles.retain(|path, _| is_needed(path));
        self.left.retain(|path| is_needed(path));
    }
}
