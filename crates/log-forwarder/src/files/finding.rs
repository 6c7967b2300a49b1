//! The files that inputs lead to now, and the directories in which another could appear.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::listings::Listings;
use crate::{
    content::volume::{Kind, MOST_LINKS, Stat},
    settings::input::{Input, Part},
};

/// Directories below a `**` that are followed into the depth; a deeper tree is hardly one of logs.
const MOST_DEPTH: usize = 32;

/// The result of one search
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The files, by their paths; the flag says that the path is a link.
    pub(crate) files: BTreeMap<Arc<Path>, (Stat, bool)>,
    /// Where a file or a directory of an input can appear
    pub(crate) directories: BTreeSet<PathBuf>,
    /// Paths of the input that are no files
    pub(crate) others: BTreeSet<PathBuf>,
    /// Files that match the input and are excluded
    pub(crate) excluded: usize,
}

impl Found {
    /// All that an input leads to
    pub(crate) fn of(input: &Input, listings: &mut Listings) -> Self {
        let mut found = Self::default();
        for alternative in input.alternatives() {
            found.descend(Path::new("/"), alternative, 0, listings);
        }
        let matched = found.files.len();
        found.files.retain(|path, _| !input.selection.excludes(path));
        found.excluded = matched - found.files.len();
        found
    }

    fn descend(&mut self, directory: &Path, parts: &[Part], depth: usize, listings: &mut Listings) {
        let Some((part, rest)) = parts.split_first() else { return };
        match part {
            Part::Name(name) if rest.is_empty() => {
                self.await_at(directory, listings);
                self.take(directory.join(name).into(), None, listings);
            }
            // A directory without wildcards is not looked at, because the user may not be allowed
            // to read it.
            Part::Name(name) => self.descend(&directory.join(name), rest, depth, listings),
            Part::Pattern(_) => {
                self.await_at(directory, listings);
                let listing = listings.of(directory);
                let fitting =
                    listing.entries().iter().filter(|entry| entry.path.file_name().is_some_and(|name| part.fits(name)));
                for entry in fitting {
                    if rest.is_empty() {
                        self.take(entry.path.clone(), Some(entry.stat), listings);
                    } else if entry.stat.kind != Kind::Regular {
                        self.descend(&entry.path, rest, depth, listings);
                    }
                }
            }
            Part::AnyDepth => {
                self.descend(directory, rest, depth, listings);
                self.await_at(directory, listings);
                let listing = listings.of(directory);
                let below = listing.entries().iter().filter(|entry| entry.stat.kind == Kind::Directory);
                for entry in below.filter(|_| depth < MOST_DEPTH) {
                    self.descend(&entry.path, parts, depth + 1, listings);
                }
            }
        }
    }

    /// Takes a path that an input leads to. The target of a link may come later, in another
    /// directory.
    fn take(&mut self, path: Arc<Path>, entry: Option<Stat>, listings: &mut Listings) {
        let is_link = entry.is_none_or(|stat| stat.kind == Kind::Link);
        let stat = if is_link { listings.volume().stat(&path).ok() } else { entry };
        match stat {
            Some(stat) if stat.is_file() => drop(self.files.insert(path, (stat, is_link))),
            Some(_) => drop(self.others.insert(path.to_path_buf())),
            None => self.await_at(&listings.home(&path, is_link), listings),
        }
    }

    /// Notes a directory in which something can appear, or the nearest one above it that is there.
    /// If the name that is missing there is a link, the directory may appear elsewhere.
    fn await_at(&mut self, directory: &Path, listings: &Listings) {
        let mut directory = directory.to_path_buf();
        for _ in 0..MOST_LINKS {
            let nearest = nearest(&directory, listings);
            let inode = |path: &Path| listings.volume().stat(path).ok().map(|stat| stat.inode);
            let missing = directory.strip_prefix(&nearest).ok().and_then(|below| below.iter().next());
            let missing = missing.map(|name| nearest.join(name)).filter(|path| inode(path).is_none());
            let target = missing.map(|path| listings.volume().home(&path));
            let target = target.filter(|target| inode(target) != inode(&nearest));
            self.directories.insert(nearest);
            let Some(target) = target else { return };
            directory = target;
        }
    }
}

/// The directory, or the nearest one above it that is there
fn nearest(directory: &Path, listings: &Listings) -> PathBuf {
    let is_there = |path: &&Path| listings.volume().stat(path).is_ok_and(|stat| stat.kind == Kind::Directory);
    directory.ancestors().find(is_there).unwrap_or(Path::new("/")).to_path_buf()
}
