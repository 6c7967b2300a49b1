//! Files that are renamed, truncated or deleted.

use std::{
    collections::{BTreeSet, HashSet},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    content::{Content, identity::Inode},
    files::{
        catalog::{Catalog, fresh_cursors},
        cursor::Cursor,
        generation::{Generation, Place},
    },
};

/// A rotated file that is settled stays open for this long, because its writer may be slow to take the new one.
const LINGER: Duration = Duration::from_secs(60);

impl Catalog {
    /// Looks at all open files: whether they have grown, were truncated or deleted, or are complete. True if there is news.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        self.look_at_all(self.generations.keys().copied().collect(), now)
    }

    /// Looks at those that were written, have not been idle for so long, or are to end soon.
    pub(crate) fn look_at_busy(&mut self, paths: &HashSet<PathBuf>, idle: Duration, now: Instant) -> bool {
        let inodes = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| Inode::of(&metadata));
        let written: BTreeSet<_> = inodes.filter_map(|inode| self.by_inode.get(&inode).copied()).collect();
        let is_due = |(key, generation): &(&u64, &Generation)| {
            let is_busy = now.saturating_duration_since(generation.grown) < idle;
            is_busy || written.contains(key) || generation.is_restless()
        };
        let keys = self.generations.iter().filter(is_due).map(|(key, _)| *key).collect();
        self.look_at_all(keys, now)
    }

    fn look_at_all(&mut self, keys: Vec<u64>, now: Instant) -> bool {
        let before = self.behind();
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
            match generation.place {
                Place::Live | Place::Rotated if generation.parked => return self.look_at_parked(key, now),
                Place::Gone if generation.is_all_settled() => self.remove(key),
                Place::Sought(reason) => return self.seek(key, reason),
                _ => {}
            }
            return false;
        };
        let seen = generation.seen;
        let (metadata, is_packed) = (file.metadata(), matches!(file, Content::Packed(_)));
        let looked = metadata.and_then(|metadata| {
            if metadata.nlink() == 0 {
                generation.place = Place::Deleted;
            }
            if is_packed { Ok(true) } else { generation.look(&metadata, now) }
        });
        match looked {
            Ok(true) => {
                self.changed |= generation.seen != seen;
                if seen == 0 && generation.seen > 0 {
                    // Since it was seen to be empty, other contents may have come and been copied away.
                    self.rotated.insert(generation.source.path.clone());
                    self.unsure = true;
                }
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

    /// Looks at a file that waits for a descriptor, by its path where that is known.
    fn look_at_parked(&mut self, key: u64, now: Instant) -> bool {
        let Some(generation) = self.generations.get_mut(&key) else { return false };
        if generation.place == Place::Live {
            let path = generation.source.path.clone();
            // A scan finds where the file is now, or that it is gone.
            self.unsure |= !generation.glance(&path, now);
        }
        self.age(key, now)
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
        let is_packed = matches!(generation.file, Some(Content::Packed(_)));
        if generation.ended && generation.is_all_settled() && (is_packed || generation.is_quiet(None, LINGER, now)) {
            match generation.place {
                _ if is_packed => self.remove(key),
                Place::Deleted | Place::Gone => self.remove(key),
                Place::Rotated => generation.file = None,
                Place::Live | Place::Sought(_) => {}
            }
        }
        false
    }

    /// An open file has another content: its old content continues in a copy, or is lost.
    pub(crate) fn replaced(&mut self, key: u64) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        let input = (generation.source.path.clone(), generation.source.treatment.clone());
        let Some(Content::Plain(file)) = generation.file.take() else { return self.write_off(key, "unreadable") };
        let Ok(metadata) = file.metadata() else { return self.write_off(key, "unreadable") };
        if self.by_inode.get(&generation.inode) == Some(&key) {
            self.by_inode.remove(&generation.inode);
        }
        let cursors = fresh_cursors(&self.outlets);
        let mut next = Generation::new(input, generation.home.clone(), file, &metadata, cursors);
        next.ordinal = generation.ordinal + 1;
        next.place = generation.place;
        // A file that can't be read now is complained of by the next look.
        let _ = next.look(&metadata, Instant::now());
        self.rotated.insert(next.source.path.clone());
        self.move_to_copy(key, "truncated");
        self.add(next);
        self.unsure = true;
    }

    /// Counts the bytes of a generation that an output has not read as lost; bytes in flight are still delivered.
    pub(crate) fn write_off(&mut self, key: u64, reason: &'static str) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        generation.file = None;
        // Without an open descriptor the inode may be used again.
        if self.by_inode.get(&generation.inode) == Some(&key) {
            self.by_inode.remove(&generation.inode);
        }
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
