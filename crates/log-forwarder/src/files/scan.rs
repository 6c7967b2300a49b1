//! A scan of the names: finds files that have come, and those that have gone or have other names.

mod absent;
mod holding;
mod missed;
mod moves;
mod review;

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime},
};

use self::{holding::holder_at, missed::Missed, moves::follow_moves, review::review_closed};
use super::{
    aside::take_up,
    cursor::Cursor,
    finding::Found,
    known::{FileState, Key, KnownFile},
    listings::Listings,
    look::Looker,
    names::{Heir, Names, oldest_first},
    observe::Sighting,
    selecting::Selecting,
    set::{Change, FileSet},
    unmatched::Unmatched,
};
use crate::{
    content::{
        Content,
        foreign::{Kind, kind_of},
        volume::{Inode, Stat, Volume},
        zeros::text_end,
    },
    files::fate::Fate,
    records::treatment::Treatment,
    settings::{input::Input, selection::StartAt},
};

/// Scans the names of the inputs
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    pub(crate) inputs: Vec<Input>,
    unmatched: Unmatched,
    pub(crate) selecting: Selecting,
    /// Paths that the present scan must look at once more
    missed: Vec<Missed>,
    /// The directories in which something can happen that matters, as of the last scan
    directories: BTreeSet<std::path::PathBuf>,
}

/// The parts of the forwarder that a scan changes
pub(crate) struct Scan<'a> {
    pub(crate) set: &'a mut FileSet,
    pub(crate) names: &'a mut Names,
    pub(crate) looker: &'a mut Looker,
    /// Files that may be open
    pub(crate) budget: usize,
    /// Bytes of a line, at most
    pub(crate) longest: usize,
    pub(crate) now: Instant,
    pub(crate) clock: SystemTime,
}

impl Scanner {
    pub(crate) fn new(inputs: Vec<Input>) -> Self {
        Self { inputs, ..Self::default() }
    }

    /// How the file is read that was found at a path: as the first input says that leads to it
    pub(crate) fn treatment(&self, path: &Path) -> Arc<Treatment> {
        let input = self.inputs.iter().find(|input| input.matches(path)).or(self.inputs.first());
        input.map(|input| input.treatment.clone()).unwrap_or_default()
    }

    /// The directories in which something can happen that matters: first those that the inputs name, then those to which
    /// links lead, if they are there
    pub(crate) fn directories(&self, set: &FileSet, volume: &dyn Volume) -> Vec<std::path::PathBuf> {
        let homes: BTreeSet<&Path> = set.iter().map(|(_, file)| file.home.as_ref()).collect();
        let others = homes.into_iter().filter(|home| !self.directories.contains(*home) && volume.stat(home).is_ok());
        self.directories.iter().map(std::path::PathBuf::as_path).chain(others).map(Path::to_path_buf).collect()
    }

    /// All paths that inputs lead to now, and those that they name
    pub(crate) fn watched_paths(&self, volume: &dyn Volume) -> BTreeSet<Arc<Path>> {
        let mut listings = Listings::new(volume);
        let found = self.inputs.iter().flat_map(|input| Found::of(input, &mut listings).files.into_keys());
        self.with_single_paths(found.collect::<Vec<_>>().into_iter())
    }

    /// The paths of the files that inputs lead to now
    pub(crate) fn paths_by_inode(&self, volume: &dyn Volume) -> HashMap<Inode, Arc<Path>> {
        let mut listings = Listings::new(volume);
        let found = self.inputs.iter().flat_map(|input| Found::of(input, &mut listings).files);
        found.map(|(path, (stat, _))| (stat.inode, path)).collect()
    }

    fn with_single_paths(&self, found: impl Iterator<Item = Arc<Path>>) -> BTreeSet<Arc<Path>> {
        let single = self.inputs.iter().filter_map(|input| input.single_path().filter(|path| input.matches(path)));
        single.map(Arc::from).chain(found).collect()
    }

    /// Takes in all files that the inputs lead to, and those that were rotated before they were seen.
    pub(crate) fn scan(&mut self, scan: &mut Scan) {
        let volume = scan.looker.volume.clone();
        let mut listings = Listings::new(volume.as_ref());
        let renamed = scan.names.renamed_files(scan.set, volume.as_ref(), scan.now);
        let mut found = Found::default();
        self.selecting.begin(&self.inputs);
        for input in &self.inputs {
            let mut of_input = Found::of(input, &mut listings);
            self.unmatched.look(input, &of_input, scan.now);
            found.files.append(&mut of_input.files);
            found.directories.append(&mut of_input.directories);
        }
        self.directories = std::mem::take(&mut found.directories);
        let watched = self.with_single_paths(found.files.keys().cloned());
        scan.names.watch(watched, scan.set, &mut listings);
        follow_moves(&found, &renamed, scan, &mut listings);
        // Before heirs are looked for, because a known file must not be taken for one.
        let changed = review_closed(&found, scan);
        self.take_heirs(changed, scan, &mut listings);
        // Before the inputs' own: they are older.
        self.take_heirs(renamed, scan, &mut listings);
        let heirs = scan.names.heirs(scan.set, &self.inputs, &mut listings, scan.now);
        self.take_heirs(heirs, scan, &mut listings);
        let mut live = BTreeSet::new();
        for (path, (stat, is_link)) in &found.files {
            live.extend(self.take_input(path, *stat, *is_link, scan, &mut listings));
        }
        self.take_missed(scan, &mut live);
        let keys: Vec<_> = scan.set.iter().map(|(key, _)| key).collect();
        for key in keys {
            let sighting = Sighting::Named(live.contains(&key));
            scan.looker.examine(scan.set, scan.names, key, &sighting, scan.now);
        }
        let changed = review_closed(&found, scan);
        self.take_heirs(changed, scan, &mut listings);
        scan.names.name_unread(scan.set, &self.inputs, &mut listings);
        self.selecting.end(scan.set.ledger());
        let set = &scan.set;
        let is_needed = |path: &Path| set.of_path(path).next().is_some() || volume.stat(path).is_ok();
        scan.looker.complaints.keep(is_needed);
    }

    fn take_heirs(&mut self, mut heirs: Vec<Heir>, scan: &mut Scan, listings: &mut Listings) {
        oldest_first(&mut heirs);
        for Heir { path, origin, stat } in heirs {
            if let Some(key) = self.take(&path, &origin, &stat, true, scan, listings) {
                scan.looker.examine(scan.set, scan.names, key, &Sighting::Named(false), scan.now);
            }
            let is_left = self.selecting.is_ignored(stat.inode) || scan.looker.own_files.has(&path, stat.inode);
            if scan.looker.complaints.has_left(&path, &stat) {
                scan.names.pass_over(&stat, scan.set);
            } else if !is_left && !scan.set.knows(&stat) {
                // It has another name by now, or cannot be opened yet: the evidence is needed again.
                scan.names.note_rotation(&origin);
            }
        }
    }

    /// The known file at an input's path
    fn take_input(
        &mut self,
        path: &Arc<Path>,
        stat: Stat,
        is_link: bool,
        scan: &mut Scan,
        listings: &mut Listings,
    ) -> Option<Key> {
        let known = scan.set.known(&stat);
        let is_aside = |key: &Key| scan.set.get(*key).is_some_and(|file| file.state == FileState::Aside);
        if let Some(key) = known.filter(is_aside) {
            take_up(scan.set, key, self.treatment(path), scan.now);
        }
        let holder = known.and_then(|key| holder_at(key, path, &stat, scan));
        holder.or_else(|| self.take(path, path, &stat, is_link, scan, listings))
    }

    /// Begins to follow a file that is not known yet.
    fn take(
        &mut self,
        path: &Arc<Path>,
        origin: &Arc<Path>,
        listed: &Stat,
        is_link: bool,
        scan: &mut Scan,
        listings: &mut Listings,
    ) -> Option<Key> {
        if scan.looker.complaints.has_left(path, listed) {
            return None;
        }
        if scan.looker.own_files.has(path, listed.inode) {
            // It would grow without end.
            scan.looker.complaints.warn(path, "is not read", "it is written here", scan.now);
            return None;
        }
        if scan.set.knows(listed) {
            // It was read when it was younger, and is not opened at each scan.
            return None;
        }
        let input = self.inputs.iter().find(|input| input.matches(origin));
        let start_at = self.selecting.start(input, (path, origin), listed, scan.clock)?;
        let longest = (start_at == StartAt::End).then_some(scan.longest);
        let opened = scan.looker.volume.open(path).and_then(|handle| {
            let stat = handle.stat()?;
            let at_end = |longest| {
                let size = text_end(handle.as_ref(), 0, stat.size)?;
                Cursor::at_end(&Content::Plain(handle.clone()), size, longest)
            };
            let first = longest.map(at_end).transpose()?.unwrap_or_default();
            Ok((stat, handle, first))
        });
        let (stat, handle, first) = match opened {
            Ok(opened) => opened,
            // It was there a moment ago: deleted or renamed, of which another event speaks.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                scan.looker.complaints.warn(path, "cannot open", lifecycle::io_text(&error), scan.now);
                return None;
            }
        };
        if stat.inode != listed.inode {
            // The next rotation has begun: the file that was found has another name now, and this one may be a copy.
            if path == origin {
                self.missed.push((path.clone(), is_link));
            } else {
                scan.names.doubt();
            }
            return None;
        }
        if scan.set.knows(&stat) {
            return None;
        }
        let input = (origin.clone(), self.treatment(origin));
        let kind = kind_of(handle.as_ref());
        if let Some(reason) = kind.obstacle(input.1.reads_compressed) {
            scan.looker.complaints.leave(path, &stat, reason);
            return None;
        }
        if let Some(former) = scan.set.holder(stat.inode) {
            scan.looker.examine(scan.set, scan.names, former, &Sighting::Other, scan.now);
        }
        scan.looker.complaints.settle(path, stat.inode);
        let home = listings.home(path, is_link);
        let mut fresh = KnownFile::new(input, home, handle, &stat, scan.set.fresh_cursors(), scan.now);
        match kind {
            Kind::Lines => fresh.begin_at(&first),
            _ => fresh.begin_compressed(&stat, start_at == StartAt::End),
        }
        let file = KnownFile { ordinal: scan.set.ordinal(stat.inode), ..fresh };
        let key = scan.set.next_key();
        tracing::debug!(file = %path.display(), offset = first.position, "new file");
        scan.set.apply(Change::Begin(key, file.into()), scan.now);
        // The bytes that it has already cause no event.
        scan.looker.look_at(scan.set, scan.names, key, scan.now);
        if scan.set.open_count() > scan.budget && scan.set.get(key).is_some_and(KnownFile::is_open) {
            scan.set.apply(Change::Meet(key, Fate::Park), scan.now);
        }
        if path == origin {
            scan.names.expect_siblings(path, key, scan.set);
        }
        Some(key)
    }
}
