//! Warnings about single files: at the first failure, when its reason changes, and every 30 s.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    path::{Path, PathBuf},
    time::Instant,
};

use lifecycle::LogThrottle;

use crate::content::volume::{Inode, Stat};

/// Files about which there was a warning
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    throttles: HashMap<PathBuf, LogThrottle>,
    /// Files that were said to be left alone
    left: BTreeMap<Inode, Left>,
}

/// A file that is left alone until it is another one, or was written
#[derive(Debug)]
struct Left {
    path: PathBuf,
    born: Option<i64>,
    modified: i64,
    reason: String,
    /// No file had the path at the last scan. It may have been renamed in the middle of it.
    is_missing: bool,
}

impl Complaints {
    /// Warns that something failed, and is tried again.
    pub(crate) fn warn(&mut self, path: &Path, what: &str, error: impl Display, now: Instant) {
        let error = error.to_string();
        if self.throttles.entry(path.to_path_buf()).or_default().is_due(&error, now) {
            tracing::warn!(file = %path.display(), error, "{what}; it is tried again");
        }
    }

    /// Warns that the system's words about an open file are not true of it.
    pub(crate) fn note_remote(&mut self, path: &Path, what: &str, now: Instant) {
        if self.throttles.entry(path.to_path_buf()).or_default().is_due(what, now) {
            tracing::warn!(file = %path.display(), "{what}, as on a mount whose files are renamed by another host");
        }
    }

    /// Warns that a file begins otherwise at each look.
    pub(crate) fn note_rewritten(&mut self, path: &Path, now: Instant) {
        let what = "its first bytes are written over again and again: only what comes behind them is read";
        if self.throttles.entry(path.to_path_buf()).or_default().is_due(what, now) {
            tracing::warn!(file = %path.display(), "{what}");
        }
    }

    /// Warns once that a file is not read, which no further attempt will change as long as the file is not written.
    pub(crate) fn leave(&mut self, path: &Path, stat: &Stat, reason: &str) {
        let Stat { born, modified, .. } = *stat;
        let left = Left { path: path.into(), born, modified, reason: reason.into(), is_missing: false };
        let former = self.left.insert(stat.inode, left);
        if former.is_none_or(|former| stat.is_another(former.born) || former.reason != reason) {
            tracing::warn!(file = %path.display(), reason, "the file is not read");
        }
    }

    /// Whether a file is left alone, under this name or another.
    pub(crate) fn has_left(&mut self, path: &Path, stat: &Stat) -> bool {
        let left = self.left.get_mut(&stat.inode);
        let left = left.filter(|left| left.modified == stat.modified && !stat.is_another(left.born));
        left.map(|left| left.path = path.to_path_buf()).is_some()
    }

    /// The file of a path is fine.
    pub(crate) fn settle(&mut self, path: &Path, inode: Inode) {
        self.throttles.remove(path);
        self.left.remove(&inode);
    }

    /// Files are read in another way: those that were left alone are judged again.
    pub(crate) fn judge_again(&mut self) {
        self.left.clear();
    }

    /// Forgets the files that are neither known nor there.
    pub(crate) fn keep(&mut self, is_needed: impl Fn(&Path) -> bool) {
        self.throttles.retain(|path, _| is_needed(path));
        self.left.retain(|_, left| {
            let was_missing = std::mem::replace(&mut left.is_missing, !is_needed(&left.path));
            !(was_missing && left.is_missing)
        });
    }
}
