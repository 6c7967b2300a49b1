//! Which files there are to follow: those that the inputs lead to, and those that they led to a moment ago.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    content::{identity::Inode, opening::open_to_read},
    files::{
        catalog::{Catalog, RotatedName, fresh_cursors},
        generation::{Generation, Place, modified},
    },
    settings::input::Input,
    watch::events::Rename,
};

/// Names of rotated files that are remembered. More than any rotation keeps, and what is forgotten costs only files that
/// are renamed twice before the next look.
const NAMES_LIMIT: usize = 10_000;
/// For how long a name is remembered that no file has
const MISSING: Duration = Duration::from_secs(5);

impl Catalog {
    /// Follows files as they were renamed: the new name of an input's file is one to read.
    pub(crate) fn follow(&mut self, renames: Vec<Rename>) {
        for Rename { from, to } in renames {
            let is_input = self.settings.inputs.iter().any(|input| input.matches(&from));
            if self.watched.contains(&from) {
                // Faster than the looks, more may have come and gone than this one rename tells.
                self.rotated.insert(from.clone());
            }
            let origin = match self.rotated_names.get(&from) {
                _ if is_input => Some(from),
                name => name.map(|name| name.origin.clone()),
            };
            if let (Some(origin), true) = (origin, self.rotated_names.len() < NAMES_LIMIT) {
                self.rotated_names.insert(to, RotatedName { origin, inode: None, missing: None });
            }
        }
    }

    /// Takes in all files that the inputs lead to, and those that were rotated before they were seen.
    pub(crate) fn rescan(&mut self) {
        let names = self.renamed_files(Instant::now());
        let mut paths = BTreeSet::new();
        for input in &self.settings.inputs {
            let found: Vec<_> = input.paths().collect();
            self.unmatched.look(input, &found, Instant::now());
            paths.extend(found);
        }
        let single = self.settings.inputs.iter().filter_map(|input| input.single_path().map(Path::to_path_buf));
        let watched: BTreeSet<_> = single.chain(paths.iter().cloned()).collect();
        self.newly_watched = watched.difference(&self.watched).cloned().collect();
        for path in &watched {
            self.watch_path(path);
        }
        let known = self.paths();
        self.watched.retain(|path| watched.contains(path) || known.contains(path));
        // Before the inputs' own: they are older.
        self.take_rotated(names);
        self.take_siblings(Instant::now());
        let live: BTreeSet<_> = paths.iter().filter_map(|path| self.take_input(path)).collect();
        for (key, generation) in &mut self.generations {
            match (generation.place, live.contains(key)) {
                (Place::Live, false) => generation.place = Place::Rotated,
                // A file that has come back under its old name
                (Place::Rotated, true) => generation.place = Place::Live,
                _ => {}
            }
        }
        self.review_closed();
        let paths = self.paths();
        self.throttles.retain(|path, _| paths.contains(path) || path.exists());
    }

    /// The files that were seen to be renamed away from an input, under their names of now
    fn renamed_files(&mut self, now: Instant) -> Vec<(PathBuf, PathBuf)> {
        let mut files = Vec::new();
        let by_inode = &self.by_inode;
        let has_known_file =
            |origin: &Path| origin.metadata().is_ok_and(|metadata| by_inode.contains_key(&Inode::of(&metadata)));
        self.rotated_names.retain(|path, name| {
            let Ok(metadata) = path.symlink_metadata() else {
                return name.missing.get_or_insert(now).elapsed() < MISSING;
            };
            name.missing = None;
            let inode = Inode::of(&metadata);
            // The next rotation may be done already, and its renames not yet seen: then the input leads to a new file.
            if *name.inode.get_or_insert(inode) == inode || !has_known_file(&name.origin) {
                name.inode = Some(inode);
                files.push((path.clone(), name.origin.clone()));
            }
            true
        });
        files
    }

    /// Takes files that have had an input's path before, oldest first: of two that were written at once, `.2` comes before `.1`.
    pub(crate) fn take_rotated(&mut self, names: Vec<(PathBuf, PathBuf)>) {
        let mut found: Vec<_> = names
            .into_iter()
            .filter_map(|(name, origin)| Some((modified(&name.metadata().ok()?), Reverse(number(&name)), name, origin)))
            .collect();
        found.sort();
        for (_, _, name, origin) in found {
            if let Some(key) = self.take(&name, &origin)
                && let Some(generation) = self.generations.get_mut(&key)
            {
                generation.place = Place::Rotated;
            }
        }
    }

    /// The generation at an input's path
    fn take_input(&mut self, path: &Path) -> Option<u64> {
        let metadata = path.metadata().ok().filter(fs::Metadata::is_file)?;
        match self.by_inode.get(&Inode::of(&metadata)).copied() {
            Some(key) if self.is_as_closed(key, path, &metadata) => Some(key),
            _ => self.take(path, path),
        }
    }

    /// Begins a generation in a file that is not known yet.
    fn take(&mut self, path: &Path, origin: &Path) -> Option<u64> {
        let metadata = path.metadata().ok().filter(fs::Metadata::is_file)?;
        if self.knows(Inode::of(&metadata)) {
            return None;
        }
        if self.own_files.has(path, Inode::of(&metadata)) {
            // It would grow without end.
            self.complain(path.to_path_buf(), "is not read", &io::Error::other("it is written here"));
            return None;
        }
        match self.open(path, origin) {
            Ok(generation) if self.knows(generation.inode) => None,
            Ok(mut generation) => {
                self.throttles.remove(path);
                if !self.descriptors.take() {
                    generation.park();
                }
                tracing::debug!(file = %path.display(), "new file");
                let key = self.add(generation);
                if path == origin {
                    self.expect_siblings(key);
                }
                Some(key)
            }
            // It was there a moment ago: deleted or renamed, which another event tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.complain(path.to_path_buf(), "cannot open", &error);
                None
            }
        }
    }

    /// Stops reading files that a writer of ours has opened since they were found, under another name.
    pub(crate) fn drop_own_files(&mut self) {
        for inode in self.own_files.inodes() {
            if let Some(key) = self.by_inode.get(&inode).copied()
                && let Some(generation) = self.generations.get(&key)
            {
                let path = generation.source.path.clone();
                self.remove(key);
                self.complain(path, "is not read", &io::Error::other("it is written here"));
            }
        }
    }

    /// A new file under a path that was watched already is evidence of a rotation, unless its predecessor was seen to be
    /// renamed: other contents may have come and been rotated since the last scan.
    fn expect_siblings(&mut self, key: u64) {
        let Some(generation) = self.generations.get(&key) else { return };
        let before = generation.predecessor.and_then(|key| self.generations.get(&key)).map(|before| before.inode);
        let is_explained = before.is_some() && self.rotated_names.values().any(|name| name.inode == before);
        if !is_explained && !self.newly_watched.contains(&generation.source.path) {
            self.rotated.insert(generation.source.path.clone());
            self.unsure = true;
        }
    }

    fn open(&self, path: &Path, origin: &Path) -> io::Result<Generation> {
        let file = open_to_read(path)?;
        let metadata = file.metadata()?;
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let home = real.parent().unwrap_or(Path::new("/")).to_path_buf();
        let input = (origin.to_path_buf(), self.settings.treatment(origin));
        let mut generation = Generation::new(input, home, file, &metadata, fresh_cursors(&self.outlets));
        generation.ordinal = self.ordinals.get(&generation.inode).copied().unwrap_or(0);
        // What is in it already has no event of its own. If it shrinks just now, the next look tells.
        generation.look(&metadata, Instant::now())?;
        Ok(generation)
    }

    /// A checkpoint is lost: all rotated files of the inputs count as unread.
    pub(crate) fn watch_all_anew(&mut self) {
        let single = self.settings.inputs.iter().filter_map(|input| input.single_path().map(Path::to_path_buf));
        self.watched.extend(single.chain(self.settings.inputs.iter().flat_map(Input::paths)));
        self.rotated = self.watched.clone();
    }

    /// The directories in which something can happen that matters: first those that the inputs name, then those to which links
    /// lead
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let mut directories = BTreeSet::new();
        for input in &self.settings.inputs {
            input.directories(&mut directories);
        }
        let homes: BTreeSet<_> = self.generations.values().map(|generation| &generation.home).collect();
        let others: Vec<_> = homes.into_iter().filter(|home| !directories.contains(*home)).cloned().collect();
        directories.into_iter().chain(others).collect()
    }

    /// The bytes of all open files of each directory
    pub(crate) fn sizes(&self) -> BTreeMap<PathBuf, u64> {
        let mut sizes = BTreeMap::new();
        for generation in self.generations.values().filter(|generation| generation.file.is_some()) {
            match sizes.get_mut(&generation.home) {
                Some(size) => *size += generation.seen,
                None => drop(sizes.insert(generation.home.clone(), generation.seen)),
            }
        }
        sizes
    }
}

/// What a rotated name ends in; a date is no number, and sorts as it is
fn number(name: &Path) -> Option<u16> {
    name.extension()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::files::{descriptors::Descriptors, ledger::Ledger, policy::Settings, reading::Bounds};

    #[test]
    fn what_a_file_holds_when_it_is_found_is_due_at_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("app.log"), "one\ntwo\n").unwrap();
        let input = directory.path().join("*.log").to_str().unwrap().parse().unwrap();
        let settings = Settings {
            inputs: vec![input],
            bounds: Bounds { batch: 1024, line: 1024 },
            max_pinned: 0,
            quiet_period: Duration::ZERO,
        };
        let mut catalog = Catalog::new(settings, Ledger::new(&Registry::new()).unwrap(), Descriptors::new(10));
        catalog.open_outlet("stdout://".into());
        catalog.rescan();
        assert_eq!(catalog.behind(), 8);
        assert!(catalog.next(0).is_some_and(|batch| batch.bytes() == b"one\ntwo\n"));
    }
}
