//! Files that were rotated while nobody watched: before a restart, or faster than events could tell.
//!
//! Such a file has a name that rotation makes of an input's, was not there when that input was first seen, and is no copy
//! of a file that is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    catalog::Catalog,
    content::Content,
    generation::{Generation, modified},
    identity::{HEAD_LIMIT, Head, Inode},
};

/// A rotated file, and the path it had as an input
type Sibling = (PathBuf, PathBuf);

impl Catalog {
    /// From now on files that are rotated away from this path are read. Those that are there already never were ours.
    pub(crate) fn watch_path(&mut self, path: &Path) {
        if !self.watched.insert(path.to_path_buf()) {
            return;
        }
        self.changed = true;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return };
        for (_, metadata, _) in siblings(directory, &BTreeSet::from([name])) {
            if !self.knows(Inode::of(&metadata)) {
                self.bystanders.insert(Inode::of(&metadata), modified(&metadata));
            }
        }
    }

    /// Takes the files that were rotated and not seen. To be called after a look: what is known must be known as it is now.
    pub(crate) fn take_siblings(&mut self) {
        let mut names: BTreeMap<&Path, BTreeSet<&OsStr>> = BTreeMap::new();
        for path in &self.watched {
            if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
                names.entry(directory).or_default().insert(name);
            }
        }
        let all = names.iter().flat_map(|(directory, names)| siblings(directory, names));
        let (mut found, mut bystanders, mut unsure) = (Vec::<Sibling>::new(), BTreeMap::new(), false);
        for (path, metadata, origin) in all {
            let inode = Inode::of(&metadata);
            if self.bystanders.get(&inode) == Some(&modified(&metadata)) {
                bystanders.insert(inode, modified(&metadata));
            } else if self.knows(inode) {
                // Read already
            } else if metadata.len() == 0 || self.is_copy(&path, &origin) {
                unsure = true;
            } else {
                found.push((path, origin));
            }
        }
        (self.bystanders, self.unsure) = (bystanders, unsure);
        self.take_rotated(found);
    }

    /// Whether a file begins as one does that had this path: a copy that is made before its file is truncated.
    fn is_copy(&self, path: &Path, origin: &Path) -> bool {
        let Ok(file) = fs::File::open(path).map(Content::Plain) else { return false };
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

/// The rotated files of these names in a directory
fn siblings(directory: &Path, names: &BTreeSet<&OsStr>) -> Vec<(PathBuf, fs::Metadata, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let siblings = entries.filter_map(|entry| {
        let name = entry.file_name();
        let origin = original(name.to_str()?, |name| names.contains(OsStr::new(name)))?;
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.path(), metadata, directory.join(origin)))
    });
    siblings.collect()
}

/// The name that a file had before it was rotated: that of `access.log.1`, `access.log-20261124` or
/// `access-20261124.log` is `access.log`.
fn original(name: &str, is_watched: impl Fn(&str) -> bool) -> Option<String> {
    let separators = name.match_indices(['.', '-', '_']).map(|(at, _)| at);
    separators.filter(|at| *at > 0).find_map(|at| {
        let (stem, rest) = (&name[..at], &name[at + 1..]);
        if is_mark(rest) && is_watched(stem) {
            return Some(stem.to_owned());
        }
        let (mark, extension) = rest.rsplit_once('.')?;
        let whole = format!("{stem}.{extension}");
        (is_mark(mark) && is_watched(&whole)).then_some(whole)
    })
}

/// A number, a date, a time, or both
fn is_mark(text: &str) -> bool {
    matches!(text, "old" | "prev")
        || (text.contains(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || "-_.:TZ".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        let of = |name: &str| original(name, |name| name == "access.log");
        for name in ["access.log.1", "access.log-20261124", "access-20261124.log", "access.1.log", "access.log.old"] {
            assert_eq!(of(name).as_deref(), Some("access.log"), "{name}");
        }
        for name in ["access.log", "access.log.1.gz", "access.log.audit", "access-error.log", "access.logs", "x.log.1"]
        {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
