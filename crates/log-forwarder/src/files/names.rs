//! Which unknown files continue an input: those that were rotated away from its path.
//!
//! While the forwarder runs, a rename that was seen says which file continues an input. A name alone says little: beside
//! `worker.log` another process may write `worker-1.log`. So an unknown file with the name of a rotated one is read only when
//! there is evidence that the input was rotated since the last look, and when its name has the form that rotation gives.

mod bystander;
mod form;
mod renamed;
mod rotated_name;
mod siblings;
mod unread;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use self::{bystander::Bystander, form::Form, renamed::Rename};
use self::{
    renamed::Renamed,
    rotated_name::number,
    siblings::{Sibling, is_copy, is_spent_copy, is_unchanged, known_series, siblings},
    unread::Absence,
};
use super::{
    known::{Key, KnownFile},
    listings::Listings,
    set::FileSet,
};
use crate::{
    content::volume::{Entry, Inode, Stat, Volume},
    settings::input::Input,
};

/// A file with the name of a rotated one belongs to no input when no rotation was seen for this long. A copy comes before
/// its truncation, and the truncation is seen within a sweep.
const UNDECIDED: Duration = Duration::from_secs(5);

/// The names of the inputs, and of the files that were rotated away from them
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Paths that inputs lead to or have led to; files that are rotated away from them are read.
    watched: BTreeSet<Arc<Path>>,
    /// Those that the present scan was the first to find
    newly_watched: BTreeSet<Arc<Path>>,
    renamed: Renamed,
    /// Files with names of rotated ones that never were an input's
    bystanders: BTreeMap<Inode, Bystander>,
    /// Since when there are files of which it is not known yet whether they were an input's
    undecided: BTreeMap<Inode, Instant>,
    /// Paths of inputs that were rotated unseen since the last scan
    rotated: BTreeSet<Arc<Path>>,
    /// A file may be a copy, or was truncated: the names must be read again soon.
    is_unsure: bool,
    /// The time in which no forwarder ran, until the first scan
    absence: Option<Absence>,
}

/// An unknown file that continues an input
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heir {
    pub(crate) path: Arc<Path>,
    /// The path that it had as an input
    pub(crate) origin: Arc<Path>,
    pub(crate) stat: Stat,
}

impl Names {
    /// As a checkpoint knows them
    pub(crate) fn resume(
        watched: BTreeSet<Arc<Path>>,
        rotated: BTreeSet<Arc<Path>>,
        bystanders: BTreeMap<Inode, Bystander>,
    ) -> Self {
        Self { watched, bystanders, rotated, ..Self::default() }
    }

    /// Without a checkpoint that can be read, all rotated files of the inputs count as unread.
    pub(crate) fn distrust(&mut self, paths: BTreeSet<Arc<Path>>) {
        self.watched.extend(paths);
        self.rotated = self.watched.clone();
    }

    pub(crate) fn watched(&self) -> &BTreeSet<Arc<Path>> {
        &self.watched
    }

    pub(crate) fn rotated(&self) -> &BTreeSet<Arc<Path>> {
        &self.rotated
    }

    pub(crate) fn bystanders(&self) -> &BTreeMap<Inode, Bystander> {
        &self.bystanders
    }

    pub(crate) fn is_unsure(&self) -> bool {
        self.is_unsure
    }

    /// The names must be read again soon.
    pub(crate) fn doubt(&mut self) {
        self.is_unsure = true;
    }

    /// The file of a path was rotated, maybe more than once: a file beside it may be one that was never seen at the path.
    pub(crate) fn note_rotation(&mut self, path: &Path) {
        self.rotated.insert(path.into());
        self.is_unsure = true;
    }

    /// Events got lost, and with them renames.
    pub(crate) fn note_lost_events(&mut self) {
        self.rotated.extend(self.watched.iter().cloned());
    }

    /// Follows files as they were renamed.
    pub(crate) fn follow(&mut self, renames: Vec<Rename>, inputs: &[Input]) {
        for rename in renames {
            if let Some(path) = self.watched.get(rename.from.as_path()) {
                // Faster than the looks, more files may have come and gone than this one rename says.
                self.rotated.insert(path.clone());
            }
            self.renamed.follow(rename, inputs);
        }
    }

    /// The files that were seen to be renamed away from an input, under their present names
    pub(crate) fn renamed_files(&mut self, set: &FileSet, volume: &dyn Volume, now: Instant) -> Vec<Heir> {
        self.renamed.files(set, volume, now)
    }

    /// From now on files that are rotated away from these paths are read. Files that exist already belong to others.
    pub(crate) fn watch(&mut self, paths: BTreeSet<Arc<Path>>, set: &mut FileSet, listings: &mut Listings) {
        self.newly_watched = paths.difference(&self.watched).cloned().collect();
        if !self.newly_watched.is_empty() {
            set.ask_for_checkpoint();
            for sibling in siblings(&self.newly_watched, listings) {
                self.pass_over(&sibling.entry.stat, set);
            }
        }
        let rotated = &self.rotated;
        self.watched.retain(|path| rotated.contains(path) || set.of_path(path).next().is_some());
        self.watched.extend(paths);
    }

    /// Marks a file as never an input's.
    pub(crate) fn pass_over(&mut self, stat: &Stat, set: &FileSet) {
        if !set.knows(stat) {
            self.bystanders.insert(stat.inode, Bystander::of(stat));
        }
    }

    /// After a restart: the inode of a file of the last run holds another content, under a name of a rotated file. It was an
    /// input's, and so is that content.
    pub(crate) fn note_other_content(&mut self, entry: &Entry, file: &KnownFile) {
        if !entry.stat.is_another(file.born) && is_rotated_name(&entry.path, file.path()) {
            self.renamed.add(entry, file.path());
        }
    }

    /// After a restart: a path that still leads to the file of the last run was not rotated, and a new file beside it is
    /// another's. Where it leads to something else, there was a rotation. The last run saved its state at a time in nanoseconds since
    /// 1970.
    pub(crate) fn judge_absence(&mut self, set: &FileSet, listings: &mut Listings, saved: Option<i64>) {
        let unrotated: BTreeSet<_> = self.watched.difference(&self.rotated).cloned().collect();
        for sibling in siblings(&unrotated, listings) {
            let Sibling { entry, origin, .. } = &sibling;
            // A copy may be needed at any moment, when its file is truncated.
            let is_inputs = self.renamed.has(entry);
            let is_new = entry.stat.size > 0 && !is_inputs;
            let is_new = is_new && is_copy(entry, origin, set, listings.volume()) == Some(false);
            // Looked at last: a truncation before this makes the file a possible copy.
            if is_new && is_unchanged(origin, set, listings.volume()) {
                self.pass_over(&entry.stat, set);
            }
        }
        let changed = unrotated.into_iter().filter(|path| !is_unchanged(path, set, listings.volume()));
        self.rotated.extend(changed.collect::<Vec<_>>());
        self.absence = saved.map(|since| Absence { since, rotated: self.rotated.clone() });
    }

    /// The files whose rotation was not seen. Call it after a look, because it needs the present state of known files.
    pub(crate) fn heirs(
        &mut self,
        set: &mut FileSet,
        inputs: &[Input],
        listings: &mut Listings,
        now: Instant,
    ) -> Vec<Heir> {
        let mut all = siblings(&self.watched, listings);
        // A file that an input names is read as a file of its own, and one that is excluded not at all.
        all.retain(|Sibling { entry: Entry { path, .. }, origin, .. }| {
            !inputs.iter().any(|input| input.matches(path)) && inputs.iter().any(|input| input.may_rotate(origin, path))
        });
        let known_series = known_series(&all, set);
        let (bystanders, undecided) = (std::mem::take(&mut self.bystanders), std::mem::take(&mut self.undecided));
        let mut heirs = Vec::new();
        self.is_unsure = false;
        for Sibling { entry, origin, series } in all {
            let Entry { path, stat } = &entry;
            let inode = stat.inode;
            if let Some(bystander) = bystanders.get(&inode).filter(|bystander| bystander.is(stat)) {
                self.bystanders.insert(inode, *bystander);
            } else if set.knows(stat) {
                // Read already
            } else if is_spent_copy(&entry, &origin, set, listings.volume()) {
                self.bystanders.insert(inode, Bystander::of(stat));
                set.ask_for_checkpoint();
            } else if stat.size == 0 || is_copy(&entry, &origin, set, listings.volume()) == Some(true) {
                self.is_unsure = true;
            } else if self.rotated.contains(&origin) && (series.is_usual || known_series.contains(&series)) {
                heirs.push(Heir { path: entry.path, origin, stat: entry.stat });
            } else {
                let since = undecided.get(&inode).copied().unwrap_or(now);
                if now.saturating_duration_since(since) >= UNDECIDED {
                    tracing::info!(file = %path.display(), "is not read: it is no rotated file of an input");
                    self.bystanders.insert(inode, Bystander::of(stat));
                    set.ask_for_checkpoint();
                } else {
                    self.undecided.insert(inode, since);
                    self.is_unsure = true;
                }
            }
        }
        self.rotated.clear();
        heirs
    }

    /// A new file under a path that was watched already is evidence of a rotation, unless its predecessor was seen to be
    /// renamed: other files may have come and been rotated since the last scan.
    pub(crate) fn expect_siblings(&mut self, path: &Path, key: Key, set: &FileSet) {
        let predecessor = set.of_path(path).take_while(|(other, _)| *other < key).last();
        let is_explained = predecessor.is_some_and(|(_, file)| self.renamed.knows(file.inode));
        if !is_explained && !self.newly_watched.contains(path) {
            self.note_rotation(path);
        }
    }

    /// Whether a file never was an input's, and is as it was then. A copy may be written over another file.
    pub(crate) fn is_unchanged_bystander(&self, stat: &Stat) -> bool {
        self.bystanders.get(&stat.inode).is_some_and(|bystander| bystander.modified == stat.modified)
    }

    /// Forgets the names to which no input leads any more.
    pub(crate) fn keep_those_of(&mut self, inputs: &[Input]) {
        let is_read = |path: &Path| inputs.iter().any(|input| input.matches(path));
        self.watched.retain(|path| is_read(path));
        self.rotated.retain(|path| is_read(path));
        self.renamed.keep_those_of(is_read);
    }
}

/// Whether rotation gives such a name to the file of a path.
pub(super) fn is_rotated_name(path: &Path, origin: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let names = name(path).zip(name(origin));
    names.is_some_and(|(name, origin)| rotated_name::parse(&name, |stem| stem == origin).is_some())
}

/// The names from which rotation could have given this one
pub(super) fn origins(name: &str) -> impl Iterator<Item = String> {
    rotated_name::origins(name).map(|(origin, _)| origin)
}

/// In the order in which they were written. Of two that were written at once, `.2` comes before `.1`.
pub(crate) fn oldest_first(heirs: &mut [Heir]) {
    heirs.sort_by_cached_key(|heir| (heir.stat.modified, std::cmp::Reverse(number(&heir.path)), heir.path.clone()));
}
