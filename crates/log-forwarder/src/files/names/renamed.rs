//! The names that files of inputs got by renames that were seen.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Heir, siblings::is_copy};
use crate::{
    content::volume::{Entry, Inode, Volume},
    files::set::FileSet,
    settings::input::Input,
};

/// Names of rotated files that are remembered. More than any rotation keeps, and forgotten names cost only files that are
/// renamed twice before the next look.
const MOST_NAMES: usize = 10_000;
/// For how long a name is remembered that no file has
const MISSING: Duration = Duration::from_secs(5);

/// A file that got another name
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rename {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
}

/// The names that files of inputs got by renames
#[derive(Debug, Default)]
pub(super) struct Renamed(HashMap<PathBuf, Name>);

#[derive(Debug)]
struct Name {
    /// The path that the file had as an input
    origin: PathBuf,
    /// The file that was found there first. Another one comes there by a later rename, or by another process.
    inode: Option<Inode>,
    /// Since when there is no file with the name. The next rename may be done already, and not yet be seen.
    missing: Option<Instant>,
}

impl Renamed {
    /// A file was renamed. That matters when it was an input's.
    pub(super) fn follow(&mut self, Rename { from, to }: Rename, inputs: &[Input]) {
        // The next file with this name is another one, and may be a copy.
        let name = self.0.remove(&from);
        let origin = match name {
            _ if inputs.iter().any(|input| input.matches(&from)) => Some(from),
            name => name.map(|name| name.origin),
        };
        if let Some(origin) = origin.filter(|_| self.0.len() < MOST_NAMES) {
            self.0.insert(to, Name { origin, inode: None, missing: None });
        }
    }

    /// A file of an input has this name now.
    pub(super) fn add(&mut self, Entry { path, stat }: &Entry, origin: &Path) {
        if self.0.len() < MOST_NAMES {
            let name = Name { origin: origin.into(), inode: Some(stat.inode), missing: None };
            self.0.insert(path.to_path_buf(), name);
        }
    }

    /// Whether a file has one of these names, and is the one that was found there first.
    pub(super) fn has(&self, Entry { path, stat }: &Entry) -> bool {
        self.0.get(path.as_ref()).is_some_and(|name| name.inode == Some(stat.inode))
    }

    /// The files that have these names now
    pub(super) fn files(&mut self, set: &FileSet, volume: &dyn Volume, now: Instant) -> Vec<Heir> {
        let mut files = Vec::new();
        let has_known_file = |origin: &Path| volume.stat(origin).is_ok_and(|stat| set.knows(&stat));
        self.0.retain(|path, name| {
            let Ok(stat) = volume.stat(path) else {
                let since = *name.missing.get_or_insert(now);
                return now.saturating_duration_since(since) < MISSING;
            };
            name.missing = None;
            // The next rotation may be done already, and its renames not yet seen: then the input leads to a new file. But a copy
            // may have come to the name, as logrotate's `renamecopy` makes it.
            let entry = Entry { path: path.as_path().into(), stat };
            let is_no_copy = || is_copy(&entry, &name.origin, set, volume) == Some(false);
            let is_next = || !has_known_file(&name.origin) && is_no_copy();
            if name.inode.is_none_or(|inode| inode == stat.inode) || is_next() {
                name.inode = Some(stat.inode);
                if stat.is_file() {
                    files.push(Heir { path: entry.path, origin: name.origin.as_path().into(), stat });
                }
            }
            true
        });
        files
    }

    /// Forgets the files that are no input's any more.
    pub(super) fn keep_those_of(&mut self, is_read: impl Fn(&Path) -> bool) {
        self.0.retain(|_, name| is_read(&name.origin));
    }

    /// Whether the file was seen to be renamed.
    pub(super) fn knows(&self, inode: Inode) -> bool {
        self.0.values().any(|name| name.inode == Some(inode))
    }
}
