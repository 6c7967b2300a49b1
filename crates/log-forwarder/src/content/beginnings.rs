//! The beginnings of all files in a directory, read once: after a restart, thousands of files can be looked for that are gone for
//! good, and a search for each of them would open all others.

use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::Path,
};

use super::{
    copies::{is_exhausted, is_packed},
    fingerprint::{HEAD_LIMIT, Head, heads},
    volume::{Entry, Stat, Volume},
};

/// The beginnings of the files in a directory
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    heads: HashSet<Head>,
    /// One of the files is compressed, or soon will be.
    pub(crate) has_packed: bool,
    /// A file was renamed while it was looked at, or there was no descriptor for it: it may begin with
    /// anything.
    has_moved: bool,
}

impl Beginnings {
    /// Those of the files that the caller does not rule out, as heads of these lengths
    pub(crate) fn read(
        volume: &dyn Volume,
        directory: &Path,
        lengths: &BTreeSet<usize>,
        is_other: impl Fn(&Stat) -> bool,
    ) -> Self {
        let mut beginnings = Self::default();
        let listed = volume.list(directory);
        beginnings.has_moved = listed.as_ref().is_err_and(is_exhausted);
        let entries = listed.unwrap_or_default().into_iter();
        for entry in entries.filter(|entry| entry.stat.is_file() && !is_other(&entry.stat)) {
            match beginning(volume, &entry) {
                Ok(Some(bytes)) => {
                    beginnings.heads.extend(heads(&bytes, lengths));
                    beginnings.has_packed |= is_packed(&entry.path, &bytes);
                }
                Ok(None) => beginnings.has_moved = true,
                Err(error) => beginnings.has_moved |= error.kind() == io::ErrorKind::NotFound || is_exhausted(&error),
            }
        }
        beginnings
    }

    /// Whether one of the files may begin so.
    pub(crate) fn may_have(&self, head: Head) -> bool {
        head.length > 0 && (self.has_moved || self.heads.contains(&head))
    }
}

/// The first bytes of a file; `None` if its path leads to another one by now
fn beginning(volume: &dyn Volume, entry: &Entry) -> io::Result<Option<Vec<u8>>> {
    let handle = volume.open(&entry.path)?;
    if handle.stat()?.inode != entry.stat.inode {
        return Ok(None);
    }
    let mut bytes = vec![0; HEAD_LIMIT];
    let length = handle.read_at(&mut bytes, 0)?;
    bytes.truncate(length);
    Ok(Some(bytes))
}
