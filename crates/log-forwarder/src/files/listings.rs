//! The directories that one scan has read, each of them once.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use crate::content::volume::{Entry, Inode, Volume};

/// The directories that one scan has read
pub(crate) struct Listings<'a> {
    volume: &'a dyn Volume,
    read: HashMap<PathBuf, Rc<Listing>>,
    homes: HashMap<PathBuf, Arc<Path>>,
}

/// The names in a directory
#[derive(Debug, Default)]
pub(crate) struct Listing {
    entries: Vec<Entry>,
    /// The numbers of the files among them, in the order of their inodes: a map would take five times the memory.
    by_inode: Vec<usize>,
    /// The directory is there and cannot be read, so that the place of its files is not known.
    pub(crate) is_blind: bool,
}

impl<'a> Listings<'a> {
    pub(crate) fn new(volume: &'a dyn Volume) -> Self {
        Self { volume, read: HashMap::new(), homes: HashMap::new() }
    }

    pub(crate) fn volume(&self) -> &'a dyn Volume {
        self.volume
    }

    /// The names in a directory
    pub(crate) fn of(&mut self, directory: &Path) -> Rc<Listing> {
        if let Some(listing) = self.read.get(directory) {
            return listing.clone();
        }
        let listing: Rc<Listing> = Listing::read(self.volume, directory).into();
        self.read.insert(directory.to_path_buf(), listing.clone());
        listing
    }

    /// The directory in which the file of a path lies, behind all links
    pub(crate) fn home(&mut self, path: &Path, is_link: bool) -> Arc<Path> {
        let Some(parent) = path.parent().filter(|_| !is_link) else { return self.volume.home(path).into() };
        if let Some(home) = self.homes.get(parent) {
            return home.clone();
        }
        let home: Arc<Path> = self.volume.home(path).into();
        self.homes.insert(parent.to_path_buf(), home.clone());
        home
    }
}

impl Listing {
    fn read(volume: &dyn Volume, directory: &Path) -> Self {
        match volume.list(directory) {
            Ok(entries) => {
                let mut by_inode: Vec<_> =
                    (0..entries.len()).filter(|number| entries[*number].stat.is_file()).collect();
                by_inode.sort_unstable_by_key(|number| entries[*number].stat.inode);
                Self { entries, by_inode, is_blind: false }
            }
            Err(error) => Self { is_blind: error.kind() != io::ErrorKind::NotFound, ..Self::default() },
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file with an inode
    pub(crate) fn file(&self, inode: Inode) -> Option<&Entry> {
        let found = self.by_inode.binary_search_by_key(&inode, |number| self.entries[*number].stat.inode);
        found.ok().map(|place| &self.entries[self.by_inode[place]])
    }
}
