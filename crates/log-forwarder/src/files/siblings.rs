//! Files that were rotated unseen: before a restart, or by copies and truncations faster than the looks.
//!
//! While the forwarder runs, a rename that was seen says which file continues an input. A name alone says little: beside
//! `worker.log` another process may write `worker-1.log`. So an unknown file with the name of a rotated one is read only when
//! there is evidence that the input was rotated since the last look, and when its name has the form that rotation gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    content::{
        Content,
        identity::{HEAD_LIMIT, Head, Inode},
        opening::open_to_read,
    },
    files::{
        bystander::Bystander,
        catalog::Catalog,
        generation::Generation,
        rotated_name::{Series, parse},
    },
};

/// A file with the name of a rotated one belongs to no input when no rotation was seen for this long. A copy comes before
/// its truncation, and the truncation is seen within a sweep.
const UNDECIDED: Duration = Duration::from_secs(5);

/// A file beside an input, with the name of a rotated one
struct Sibling {
    path: PathBuf,
    metadata: fs::Metadata,
    /// The path that it had as an input
    origin: PathBuf,
    series: Series,
}

impl Catalog {
    /// From now on files that are rotated away from this path are read. Files that exist already belong to others.
    pub(crate) fn watch_path(&mut self, path: &Path) {
        if !self.watched.insert(path.to_path_buf()) {
            return;
        }
        self.changed = true;
        let there = siblings_of(path).into_iter().map(|sibling| sibling.metadata);
        let others: Vec<_> = there.filter(|metadata| !self.knows(Inode::of(metadata))).collect();
        self.pass_over(&others);
    }

    /// After a restart: a path that still leads to the file of the last run was not rotated, and what is new beside it is
    /// another's. Where it leads to something else, there was a rotation.
    pub(crate) fn judge_absence(&mut self) {
        for path in self.watched.difference(&self.rotated).cloned().collect::<Vec<_>>() {
            // A copy may be needed at any moment, when its file is truncated.
            let new = siblings_of(&path).into_iter().filter(|sibling| {
                !self.knows(Inode::of(&sibling.metadata))
                    && sibling.metadata.len() > 0
                    && !self.is_copy(&sibling.path, &path)
            });
            let others: Vec<_> = new.map(|sibling| sibling.metadata).collect();
            // Looked at last: a truncation before this makes each of them a possible copy.
            if self.is_unchanged(&path) {
                self.pass_over(&others);
            } else {
                self.rotated.insert(path);
            }
        }
    }

    /// Whether a path leads to the file that it led to, and nothing of that is missing. An empty file may have
    /// had other contents since.
    fn is_unchanged(&self, path: &Path) -> bool {
        let Ok(metadata) = path.metadata() else { return false };
        let known = self.by_inode.get(&Inode::of(&metadata)).and_then(|key| self.generations.get(key));
        known.is_some_and(|known| known.has_path(path) && known.head.length > 0 && metadata.len() >= known.seen)
    }

    /// Marks files as never ours.
    fn pass_over(&mut self, files: &[fs::Metadata]) {
        for metadata in files {
            self.bystanders.insert(Inode::of(metadata), Bystander::of(metadata));
        }
    }

    /// Takes the files whose rotation was not seen. Call it after a look, because it needs the present state of known files.
    pub(crate) fn take_siblings(&mut self, now: Instant) {
        let mut names: BTreeMap<&Path, BTreeSet<&OsStr>> = BTreeMap::new();
        for path in &self.watched {
            if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
                names.entry(directory).or_default().insert(name);
            }
        }
        let all = names.iter().flat_map(|(directory, names)| siblings(directory, names));
        // A file that an input names is read as a file of its own.
        let all: Vec<_> =
            all.filter(|sibling| !self.settings.inputs.iter().any(|i| i.matches(&sibling.path))).collect();
        let known_series = self.known_series(&all);
        let (mut found, mut bystanders, mut undecided, mut unsure) =
            (Vec::new(), BTreeMap::new(), BTreeMap::new(), false);
        for Sibling { path, metadata, origin, series } in all {
            let inode = Inode::of(&metadata);
            if let Some(bystander) = self.bystanders.get(&inode).filter(|bystander| bystander.is(&metadata)) {
                bystanders.insert(inode, *bystander);
            } else if self.knows(inode) {
                // Read already
            } else if metadata.len() == 0 || self.is_copy(&path, &origin) {
                unsure = true;
            } else if self.rotated.contains(&origin) && (series.is_usual || known_series.contains(&series)) {
                found.push((path, origin));
            } else {
                let since = self.undecided.get(&inode).copied().unwrap_or(now);
                if now.saturating_duration_since(since) >= UNDECIDED {
                    tracing::info!(file = %path.display(), "is not read: it is no rotated file of an input");
                    bystanders.insert(inode, Bystander::of(&metadata));
                    self.changed = true;
                } else {
                    undecided.insert(inode, since);
                    unsure = true;
                }
            }
        }
        (self.bystanders, self.undecided, self.unsure) = (bystanders, undecided, unsure);
        self.rotated.clear();
        self.take_rotated(found);
    }

    /// The forms of names that files of the inputs have got by rotation
    fn known_series(&self, siblings: &[Sibling]) -> BTreeSet<Series> {
        let is_known = |sibling: &&Sibling| {
            let key = self.by_inode.get(&Inode::of(&sibling.metadata));
            let generation = key.and_then(|key| self.generations.get(key));
            generation.is_some_and(|generation| generation.has_path(&sibling.origin))
        };
        siblings.iter().filter(is_known).map(|sibling| sibling.series.clone()).collect()
    }

    /// Whether a file begins as one does that had this path: a copy that is made before its file is truncated.
    fn is_copy(&self, path: &Path, origin: &Path) -> bool {
        let Ok(file) = open_to_read(path).map(Content::Plain) else { return false };
        let begins_alike = |generation: &Generation| {
            // What is older is no copy, though it may begin alike.
            if born(&file).zip(generation.file.as_ref().and_then(born)).is_some_and(|(file, known)| file < known) {
                return None;
            }
            // A file is copied while it has its name. Elsewhere only a whole head tells a copy from one that begins alike.
            if generation.head.length < HEAD_LIMIT && !generation.has_its_name() {
                return None;
            }
            // One that was empty at the last look may have been written and copied since.
            let known = match generation.head.length {
                0 => Head::read(generation.file.as_ref()?, HEAD_LIMIT).ok()?,
                _ => generation.head,
            };
            let head = Head::read(&file, known.length).ok()?;
            if head.length == known.length {
                return Some(head.length > 0 && head == known);
            }
            // A copy in the making
            Some(Head::read(generation.file.as_ref()?, head.length).ok()? == head)
        };
        let mut known = self.generations.values().filter(|generation| generation.has_path(origin));
        known.any(|generation| begins_alike(generation) == Some(true))
    }
}

impl Generation {
    /// Whether it was found by this path. Byte by byte, since there may be thousands.
    pub(crate) fn has_path(&self, path: &Path) -> bool {
        self.source.path.as_os_str() == path.as_os_str()
    }

    /// Whether the path by which it was found leads to it still
    fn has_its_name(&self) -> bool {
        self.source.path.metadata().is_ok_and(|metadata| Inode::of(&metadata) == self.inode)
    }
}

/// When a file was made, where the file system tells
fn born(file: &Content) -> Option<SystemTime> {
    file.metadata().ok()?.created().ok()
}

/// The files beside an input that have the name of a rotated one
fn siblings_of(path: &Path) -> Vec<Sibling> {
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => siblings(directory, &BTreeSet::from([name])),
        _ => Vec::new(),
    }
}

/// The files of a directory that have the name of a rotated one of these names
fn siblings(directory: &Path, names: &BTreeSet<&OsStr>) -> Vec<Sibling> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let siblings = entries.filter_map(|entry| {
        let name = entry.file_name();
        let (origin, series) = parse(name.to_str()?, |name| names.contains(OsStr::new(name)))?;
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Sibling { path: entry.path(), metadata, origin: directory.join(origin), series })
    });
    siblings.collect()
}
