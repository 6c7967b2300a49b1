//! Warnings about single files: at the first failure, when its reason changes, and every 30 s.

use std::{
    collections::HashMap,
    fmt::Display,
    path::{Path, PathBuf},
    time::Instant,
};

use lifecycle::LogThrottle;

/// Files about which there was a warning
#[derive(Debug, Default)]
pub(crate) struct Complaints(HashMap<PathBuf, LogThrottle>);

impl Complaints {
    /// Warns that something failed, and is tried again.
    pub(crate) fn warn(&mut self, path: &Path, what: &str, error: impl Display, now: Instant) {
        let error = error.to_string();
        if self.0.entry(path.to_path_buf()).or_default().is_due(&error, now) {
            tracing::warn!(file = %path.display(), error, "{what}; it is tried again");
        }
    }

    /// The file of a path is fine.
    pub(crate) fn settle(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Forgets the files that are neither known nor there.
    pub(crate) fn keep(&mut self, is_needed: impl Fn(&Path) -> bool) {
        self.0.retain(|path, _| is_needed(path));
    }
}
