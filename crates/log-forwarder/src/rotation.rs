//! What becomes of a file that is renamed, truncated or deleted.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    catalog::{Catalog, fresh_cursors},
    cursor::Cursor,
    generation::{Generation, Place, modified},
    identity::{Fingerprint, Inode},
};

/// A rotated file that is settled stays open for so long: its writer may be slow to take the new one.
const LINGER: Duration = Duration::from_secs(60);

impl Catalog {
    /// Looks at all open files: what has grown, what was truncated or deleted, what is complete. True if there is news.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        let before = self.behind();
        let keys: Vec<_> = self.generations.keys().copied().collect();
        let mut ended = false;
        for key in keys {
            ended |= self.look_at(key, now);
        }
        self.release_pinned();
        ended || self.behind() != before
    }

    fn look_at(&mut self, key: u64, now: Instant) -> bool {
        let Some(generation) = self.generations.get_mut(&key) else { return false };
        let Some(file) = &generation.file else {
            if generation.place == Place::Gone && generation.is_all_settled() {
                self.remove(key);
            }
            return false;
        };
        let seen = generation.seen;
        let looked = file.metadata().and_then(|metadata| {
            if metadata.nlink() == 0 && generation.place != Place::Deleted {
                generation.place = Place::Deleted;
            }
            generation.look(&metadata, now)
        });
        match looked {
            Ok(true) => {
                self.changed |= generation.seen != seen;
                self.age(key, now)
            }
            Ok(false) => {
                self.replaced(key);
                true
            }
            Err(error) => {
                let path = generation.source.path.clone();
                self.complain(path, "cannot look at", &error);
                false
            }
        }
    }

    /// Marks what is complete, and closes what has long been. True if a last line has become complete.
    fn age(&mut self, key: u64, now: Instant) -> bool {
        let (stopping, period) = (self.stopping, self.settings.quiet_period);
        let Some(generation) = self.generations.get_mut(&key) else { return false };
        let may_end = generation.place != Place::Live || stopping.is_some();
        let since = if generation.place == Place::Live { stopping } else { None };
        if may_end && !generation.ended && generation.is_quiet(since, period, now) {
            generation.ended = true;
            return true;
        }
        let joins = generation.source.treatment.format.joins_lines();
        if joins && !generation.still && generation.is_quiet(None, period, now) && generation.rest() {
            return true;
        }
        if generation.ended && generation.is_all_settled() && generation.is_quiet(None, LINGER, now) {
            match generation.place {
                Place::Deleted | Place::Gone => self.remove(key),
                Place::Rotated => generation.file = None,
                Place::Live => {}
            }
        }
        false
    }

    /// An open file holds something else than it did: its old content goes on in a copy, or is lost.
    pub(crate) fn replaced(&mut self, key: u64) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        let input = (generation.source.path.clone(), generation.source.treatment.clone());
        let Some(file) = generation.file.take() else { return };
        let Ok(metadata) = file.metadata() else { return self.write_off(key, "unreadable") };
        if self.by_inode.get(&generation.inode) == Some(&key) {
            self.by_inode.remove(&generation.inode);
        }
        let cursors = fresh_cursors(&self.outlets);
        let mut next = Generation::new(input, generation.home.clone(), file, &metadata, cursors);
        next.become_nth(generation.ordinal + 1, &metadata);
        next.place = generation.place;
        // A file that can't be read now is complained of by the next look.
        let _ = next.look(&metadata, Instant::now());
        self.move_to_copy(key);
        self.add(next);
        self.unsure = true;
    }

    /// Looks the content of a generation up among the files of its directory.
    pub(crate) fn move_to_copy(&mut self, key: u64) {
        let Some(generation) = self.generations.get(&key) else { return };
        let file = generation.source.path.display().to_string();
        let copy =
            find_copy(&generation.home, generation.modified, &generation.fingerprint(), |inode| self.knows(inode));
        let Some(generation) = self.generations.get_mut(&key) else { return };
        if let Some((copy, path)) = copy
            && let Ok(metadata) = copy.metadata()
        {
            tracing::info!(file, copy = %path.display(), "truncated; the copy is read to its end");
            generation.inode = Inode::of(&metadata);
            generation.place = Place::Rotated;
            generation.file = Some(copy);
            // What the copy has more than was seen is found by the next look.
            generation.grown = Instant::now();
            generation.ended = false;
            self.by_inode.insert(Inode::of(&metadata), key);
            self.changed = true;
        } else {
            self.write_off(key, "truncated");
        }
    }

    /// Counts what an output has not got of a generation as lost; what is in flight still goes its way.
    pub(crate) fn write_off(&mut self, key: u64, reason: &'static str) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        generation.file = None;
        let lost =
            |cursor: &Cursor| if cursor.closed { 0 } else { generation.seen.saturating_sub(cursor.in_flight_end) };
        for (output, cursor) in generation.cursors.iter().enumerate() {
            if lost(cursor) > 0 {
                self.ledger.of(output).lost(lost(cursor), reason);
            }
        }
        let most = generation.cursors.iter().map(lost).max().unwrap_or(0);
        let file = generation.source.path.display();
        if most > 0 {
            tracing::error!(%file, bytes = most, reason, "lost: nobody gets the rest of this file");
        }
        generation.place = Place::Gone;
        self.changed = true;
    }

    /// Gives up the oldest of the deleted files until the others fit into `--max-pinned`.
    fn release_pinned(&mut self) {
        let is_pinned = |generation: &Generation| generation.place == Place::Deleted && generation.file.is_some();
        let sizes = self.generations.iter().filter(|(_, generation)| is_pinned(generation));
        let sizes: Vec<_> = sizes.map(|(key, generation)| (*key, generation.seen)).collect();
        let mut pinned: u64 = sizes.iter().map(|(_, size)| size).sum();
        for (key, size) in sizes {
            if pinned <= self.settings.max_pinned {
                break;
            }
            pinned -= size;
            self.write_off(key, "over --max-pinned");
        }
        self.ledger.pinned.set(pinned.cast_signed());
    }
}

/// A file of this directory that has this content, was written no earlier, and is no other generation.
pub(crate) fn find_copy(
    home: &Path,
    written: i64,
    content: &Fingerprint,
    is_known: impl Fn(Inode) -> bool,
) -> Option<(File, PathBuf)> {
    if content.head.length == 0 {
        return None;
    }
    let mut candidates: Vec<_> = fs::read_dir(home)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            let fits = metadata.is_file() && !is_known(Inode::of(&metadata)) && modified(&metadata) >= written;
            fits.then(|| (metadata.len(), entry.path()))
        })
        .collect();
    // The one that holds most: an earlier copy of the same content would be shorter.
    candidates.sort();
    candidates.into_iter().rev().find_map(|(_, path)| Some((open_as(content, &path)?, path)))
}

/// Opens a file if it has this content.
pub(crate) fn open_as(content: &Fingerprint, path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    content.is_of(&file).unwrap_or(false).then_some(file)
}
