//! Files beside an input that have the name of a rotated one, and whether they are copies of known files.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    path::Path,
    sync::Arc,
};

use super::{
    is_rotated_name,
    rotated_name::{Series, parse},
};
use crate::{
    content::{
        Content,
        fingerprint::{HEAD_LIMIT, Head},
        volume::{Entry, Stat, Volume},
    },
    files::{
        known::{Access, FileState, KnownFile},
        listings::Listings,
        set::FileSet,
    },
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
    // A file that could not be read was not compared.
    let is_compared = |file: &KnownFile| file.packed_size.is_some() || !matches!(file.access, Access::Closed);
    let is_as_long = |file: &KnownFile| file.head.length > 0 && stat.size >= file.seen;
    known.is_some_and(|file| file.path() == path && is_compared(file) && is_as_long(file))
}

/// Whether a file begins as one does that had this path: a copy that is made before its file is
/// truncated or deleted. `None` if the file has another name by now: what its path leads to says
/// nothing about it.
pub(super) fn is_copy(entry: &Entry, origin: &Path, set: &FileSet, volume: &dyn Volume) -> Option<bool> {
    let (content, stat) = match open(&entry.path, volume) {
        Ok((_, stat)) if stat.inode != entry.stat.inode => return None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => return Some(false),
        Ok(opened) => opened,
    };
    // The content of a lost file goes on nowhere.
    let mut files = set.of_path(origin).filter(|(_, file)| file.state != FileState::Lost);
    Some(files.any(|(_, file)| begins_alike(&content, &stat, file, volume)))
}

/// Whether a file is the whole copy of one that had this path and has no name of a rotated one: all outputs have its lines, and
/// its original is deleted next, as logrotate's `renamecopy` does it.
pub(super) fn is_spent_copy(entry: &Entry, origin: &Path, set: &FileSet, volume: &dyn Volume) -> bool {
    // It may have become whole since it was listed.
    let Ok(stat) = volume.stat(&entry.path) else { return false };
    let is_whole = |file: &KnownFile| file.head.length > 0 && file.is_all_settled() && file.size() == stat.size;
    let mut whole = set.of_path(origin).filter(|(_, file)| is_whole(file) && is_renamed_elsewhere(file, volume));
    let is_it = |opened: &Stat| opened.inode == entry.stat.inode && opened.size == stat.size;
    let Some((content, _)) = open(&entry.path, volume).ok().filter(|(_, opened)| is_it(opened)) else { return false };
    whole.any(|(_, file)| file.fingerprint().is_of(&content).unwrap_or(false))
}

fn open(path: &Path, volume: &dyn Volume) -> io::Result<(Content, Stat)> {
    let handle = volume.open(path)?;
    let stat = handle.stat()?;
    Ok((Content::Plain(handle), stat))
}

/// Whether an open file has neither its name nor one that rotation gives: it was copied under another name, or is deleted.
fn is_renamed_elsewhere(file: &KnownFile, volume: &dyn Volume) -> bool {
    let is_it = |stat: &Stat| stat.is_of(file.inode, file.born);
    let is_named = |entry: &Entry| entry.path.as_ref() == file.path() || is_rotated_name(&entry.path, file.path());
    let Ok(entries) = volume.list(&file.home) else { return false };
    file.is_open() && !entries.iter().any(|entry| is_it(&entry.stat) && is_named(entry))
}

fn begins_alike(content: &Content, stat: &Stat, file: &KnownFile, volume: &dyn Volume) -> bool {
    // An older file is no copy, though it may begin alike.
    let born = file.content().and_then(|content| content.stat().ok()?.born);
    if stat.born.zip(born).is_some_and(|(copy, known)| copy < known) {
        return false;
    }
    // The search for its content says whether it goes on there.
    if matches!(file.state, FileState::Sought(_)) {
        return has_head(content, file.head, None);
    }
    // A file is copied while it has its name, or one that rotation does not give. Elsewhere only a whole head tells a copy from
    // one that begins alike.
    let has_its_name = volume.stat(file.path()).is_ok_and(|stat| stat.inode == file.inode);
    let is_doubtful = file.head.length < HEAD_LIMIT && !has_its_name;
    if is_doubtful && (!file.is_open() || stat.size > file.size()) {
        return false;
    }
    let opened = if file.is_parked() && has_its_name { open(file.path(), volume).ok() } else { None };
    let present = file.content().or(opened.as_ref().map(|(content, _)| content)).filter(|content| !content.is_packed());
    // Since the last look it may have been written, or truncated and written, and copied.
    let may_be_new = file.head.length == 0 || has_its_name;
    let new = present.filter(|_| may_be_new).and_then(|present| Head::read(present, HEAD_LIMIT).ok());
    let mut heads = [Some(file.head), new].into_iter().flatten();
    heads.any(|head| has_head(content, head, present)) && (!is_doubtful || is_renamed_elsewhere(file, volume))
}

/// Whether a file has this head. One that has less of it yet is a copy in the making, if it begins as the original does now.
fn has_head(content: &Content, known: Head, original: Option<&Content>) -> bool {
    let Ok(head) = Head::read(content, known.length) else { return false };
    if head.length == known.length {
        return head.length > 0 && head == known;
    }
    original.is_some_and(|original| Head::read(original, head.length).is_ok_and(|begin| begin == head))
}

/// The files beside these paths that have the name of a rotated one
pub(super) fn siblings(paths: &BTreeSet<Arc<Path>>, listings: &mut Listings) -> Vec<Sibling> {
    beside(paths, listings, |name| Some(name))
}

/// The same with the end that a compressing tool adds
pub(super) fn packed_siblings(paths: &BTreeSet<Arc<Path>>, listings: &mut Listings) -> Vec<Sibling> {
    beside(paths, listings, |name| name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")))
}

fn beside(
    paths: &BTreeSet<Arc<Path>>,
    listings: &mut Listings,
    rotated_name: impl Fn(&str) -> Option<&str>,
) -> Vec<Sibling> {
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
            let name = rotated_name(entry.path.file_name()?.to_str()?)?;
            let (origin, series) = parse(name, |name| names.contains(OsStr::new(name)))?;
            Some(Sibling { entry: entry.clone(), origin: directory.join(origin).into(), series })
        };
        siblings.extend(listing.entries().iter().filter(|entry| entry.stat.is_file()).filter_map(sibling));
    }
    siblings
}
