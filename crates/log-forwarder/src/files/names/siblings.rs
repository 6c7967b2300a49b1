//! Files beside an input that have the name of a rotated one, and whether they are copies of known files.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    path::Path,
    sync::Arc,
};

use super::rotated_name::{Series, parse};
use crate::{
    content::{
        Content,
        fingerprint::{HEAD_LIMIT, Head},
        volume::{Entry, Stat, Volume},
    },
    files::{known::KnownFile, listings::Listings, set::FileSet},
};

/// A file beside an input, with the name of a rotated one
pub(super) struct Sibling {
    pub(super) entry: Entry,
    /// The path that it had as an input
    pub(super) origin: Arc<Path>,
    pub(super) series: Series,
}

/// The forms of names that files of the inputs have got by rotation
pub(super) fn known_series(siblings: &[Sibling], set: &FileSet) -> BTreeSet<Series> {
    let is_known = |sibling: &&Sibling| {
        let file = set.known(&sibling.entry.stat).and_then(|key| set.get(key));
        file.is_some_and(|file| file.source.path == sibling.origin)
    };
    siblings.iter().filter(is_known).map(|sibling| sibling.series.clone()).collect()
}

/// Whether a path leads to the file that it led to, and nothing of that is missing. An empty file may have had other contents
/// since.
pub(super) fn is_unchanged(path: &Path, set: &FileSet, volume: &dyn Volume) -> bool {
    let Ok(stat) = volume.stat(path) else { return false };
    let known = set.known(&stat).and_then(|key| set.get(key));
    known.is_some_and(|file| file.path() == path && file.head.length > 0 && stat.size >= file.seen)
}

/// Whether a file begins as one does that had this path: a copy that is made before its file is truncated.
pub(super) fn is_copy(path: &Path, origin: &Path, set: &FileSet, volume: &dyn Volume) -> bool {
    let Ok(handle) = volume.open(path) else { return false };
    let Ok(stat) = handle.stat() else { return false };
    let content = Content::Plain(handle);
    set.of_path(origin).any(|(_, file)| begins_alike(&content, &stat, file, volume) == Some(true))
}

fn begins_alike(content: &Content, stat: &Stat, file: &KnownFile, volume: &dyn Volume) -> Option<bool> {
    // An older file is no copy, though it may begin alike.
    let born = file.content().and_then(|content| content.stat().ok()?.born);
    if stat.born.zip(born).is_some_and(|(copy, known)| copy < known) {
        return None;
    }
    // A file is copied while it has its name. Elsewhere only a whole head tells a copy from one that begins alike.
    let has_its_name = || volume.stat(file.path()).is_ok_and(|stat| stat.inode == file.inode);
    if file.head.length < HEAD_LIMIT && !has_its_name() {
        return None;
    }
    // A file that was empty at the last look may have been written and copied since.
    let known = match file.head.length {
        0 => Head::read(file.content()?, HEAD_LIMIT).ok()?,
        _ => file.head,
    };
    let head = Head::read(content, known.length).ok()?;
    if head.length == known.length {
        return Some(head.length > 0 && head == known);
    }
    // A copy in the making
    Some(Head::read(file.content()?, head.length).ok()? == head)
}

/// The files beside these paths that have the name of a rotated one
pub(super) fn siblings(paths: &BTreeSet<Arc<Path>>, listings: &mut Listings) -> Vec<Sibling> {
    let mut names: BTreeMap<&Path, BTreeSet<&OsStr>> = BTreeMap::new();
    for path in paths {
        if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
            names.entry(directory).or_default().insert(name);
        }
    }
    let mut siblings = Vec::new();
    for (directory, names) in names {
        let listing = listings.of(directory);
        let sibling = |entry: &Entry| {
            let name = entry.path.file_name()?.to_str()?;
            let (origin, series) = parse(name, |name| names.contains(OsStr::new(name)))?;
            Some(Sibling { entry: entry.clone(), origin: directory.join(origin).into(), series })
        };
        siblings.extend(listing.entries().iter().filter(|entry| entry.stat.is_file()).filter_map(sibling));
    }
    siblings
}
