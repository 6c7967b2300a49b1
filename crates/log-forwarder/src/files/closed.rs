//! Files that are not open: complete ones, whose names may be written to again, and those that could not be opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    content::{
        Content,
        identity::{Anchor, Inode, is_another},
    },
    files::{
        catalog::Catalog,
        copies::open_as,
        generation::{Generation, Place, modified},
    },
};

/// Where the files of some directories are
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: BTreeMap<Inode, (PathBuf, Metadata)>,
    /// Directories that cannot be read
    unreadable: BTreeSet<PathBuf>,
}

impl Listing {
    pub(crate) fn of(directories: &BTreeSet<PathBuf>) -> Self {
        let mut listing = Self::default();
        for directory in directories {
            match fs::read_dir(directory) {
                Ok(entries) => {
                    let found = entries.filter_map(|entry| {
                        let entry = entry.ok()?;
                        let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
                        Some((Inode::of(&metadata), (entry.path(), metadata)))
                    });
                    listing.files.extend(found);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => drop(listing.unreadable.insert(directory.clone())),
            }
        }
        listing
    }

    /// Whether the place of a file of this directory cannot be known.
    pub(crate) fn is_blind(&self, home: &Path) -> bool {
        self.unreadable.contains(home)
    }
}

impl Catalog {
    /// Whether a known inode still has its content. An open file is looked at elsewhere; one that was closed is opened again when
    /// it has changed, and forgotten if its inode was given to another file.
    pub(crate) fn is_as_closed(&mut self, key: u64, path: &Path, metadata: &Metadata) -> bool {
        let Some(generation) = self.generations.get(&key) else { return false };
        if generation.file.is_some() || generation.is_complete(metadata) {
            return true;
        }
        if self.reopen(key, path) {
            return true;
        }
        self.leave_inode(key);
        false
    }

    /// Opens a file that waits for its turn. True if there is something to read; leaves a file that has another content now.
    pub(crate) fn open_again(&mut self, key: u64, path: &Path) -> bool {
        if self.reopen(key, path) {
            return self.generations.get(&key).is_some_and(|generation| generation.file.is_some());
        }
        self.leave_inode(key);
        // The new content has the name: it is found by a scan.
        self.unsure = true;
        false
    }

    /// The inode of a closed generation was given to another file, or holds another content.
    fn leave_inode(&mut self, key: u64) {
        if let Some(Generation { inode, ordinal, .. }) = self.generations.get(&key) {
            self.ordinals.insert(*inode, *ordinal + 1);
            self.leave(key);
        }
    }

    /// Forgets complete files that are not there any more, and opens those that could not be opened.
    pub(crate) fn review_closed(&mut self) {
        let closed = |generation: &Generation| generation.file.is_none() && generation.place == Place::Rotated;
        let of: Vec<_> = self.generations.iter().filter(|(_, generation)| closed(generation)).collect();
        let listing = Listing::of(&of.iter().map(|(_, generation)| generation.home.clone()).collect());
        let of: Vec<_> = of.into_iter().map(|(key, generation)| (*key, generation.inode)).collect();
        for (key, inode) in of {
            let Some(generation) = self.generations.get(&key) else { continue };
            if listing.is_blind(&generation.home) {
                continue;
            }
            match listing.files.get(&inode) {
                Some((_, metadata)) if generation.is_complete(metadata) => {}
                Some((path, _)) if self.reopen(key, path) => {}
                _ => self.leave(key),
            }
        }
        let is_missed = |generation: &Generation| {
            let may_come = matches!(generation.place, Place::Live | Place::Rotated);
            let has_turn = generation.parked && generation.place == Place::Live;
            generation.file.is_none() && may_come && !has_turn && !generation.is_all_settled()
        };
        self.unsure |= self.generations.values().any(is_missed);
    }

    /// Opens a closed file again; false if it holds something else. One that can't be opened stays as it is, and one for
    /// which no descriptor is left waits.
    fn reopen(&mut self, key: u64, path: &Path) -> bool {
        let Some(generation) = self.generations.get_mut(&key) else { return false };
        if self.descriptors.left == 0 {
            generation.parked = true;
            if generation.glance(path, Instant::now()) {
                return true;
            }
        }
        match open_as(&generation.fingerprint(), path) {
            Ok(Some(file)) => {
                if file.metadata().is_ok_and(|metadata| is_another(&metadata, generation.born)) {
                    return false;
                }
                generation.attach(file);
                if !self.descriptors.take() {
                    generation.park();
                }
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.complain(path.to_path_buf(), "cannot open", &error);
                true
            }
        }
    }

    /// The file of a closed generation is not there any more, or holds something else.
    fn leave(&mut self, key: u64) {
        let Some(generation) = self.generations.get(&key) else { return };
        if self.by_inode.get(&generation.inode) == Some(&key) {
            self.by_inode.remove(&generation.inode);
        }
        if generation.is_all_settled() {
            self.remove(key);
        } else {
            self.move_to_copy(key, "gone while it could not be read");
        }
    }
}

impl Generation {
    /// Whether every output has all that its file holds.
    fn is_complete(&self, metadata: &Metadata) -> bool {
        self.is_all_settled() && self.seen == metadata.len() && self.modified == modified(metadata)
    }

    /// Closes its file, so that another one can be opened.
    pub(crate) fn park(&mut self) {
        (self.file, self.parked) = (None, true);
    }

    /// Takes the size of its closed file from a path; false if that leads to another file or to less than was seen.
    pub(crate) fn glance(&mut self, path: &Path, now: Instant) -> bool {
        let Ok(metadata) = path.metadata() else { return false };
        let is_same = Inode::of(&metadata) == self.inode && !is_another(&metadata, self.born);
        if !is_same || metadata.len() < self.seen {
            return false;
        }
        self.grow(metadata.len(), now);
        true
    }

    /// Gives it its file, and its cursors the bytes that stand before them.
    pub(crate) fn attach(&mut self, file: Content) {
        for cursor in &mut self.cursors {
            cursor.anchor = Anchor::read(&file, cursor.position).unwrap_or_default();
        }
        // While it was parked, its growth was looked at all the time.
        if !self.parked {
            (self.grown, self.ended) = (Instant::now(), false);
        }
        (self.file, self.parked) = (Some(file), false);
    }
}
