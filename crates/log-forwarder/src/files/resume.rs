//! Resumes from a checkpoint: finds each of its files again, also under another name, or its copy.

use std::{path::Path, sync::Arc, time::Instant};

use crate::{
    content::identity::{Anchor, Inode, is_another},
    files::{
        ages::Ages,
        catalog::{Catalog, Outlet},
        closed::Listing,
        copies::open_as,
        cursor::Cursor,
        generation::{Generation, Place},
    },
    records::batch::Source,
    state::checkpoint::{Checkpoint, Entry},
};

impl Catalog {
    /// Begins where the last run has ended. To be called before anything else is known.
    pub(crate) fn resume(&mut self, checkpoint: &Checkpoint) {
        self.watched = checkpoint.watched.iter().cloned().collect();
        self.rotated = checkpoint.rotated.iter().cloned().collect();
        self.bystanders = checkpoint.bystanders.iter().copied().collect();
        let homes = checkpoint.files.iter().map(|entry| entry.home.clone()).collect();
        let listing = Listing::of(&homes);
        let mut missing = Vec::new();
        for entry in &checkpoint.files {
            let path = listing.files.get(&entry.inode);
            let found = match path.map(|(path, _)| self.reopened(entry, path)) {
                Some(found) => found,
                // A question that has no answer now may have one later.
                None => listing.is_blind(&entry.home).then(|| self.generation(entry)),
            };
            match found {
                Some(mut generation) => {
                    if generation.file.is_some() && !self.descriptors.take() {
                        generation.park();
                    }
                    self.add(generation);
                }
                None => missing.push(entry),
            }
        }
        // Only when all known inodes are known can another one be a copy.
        for entry in missing {
            self.resume_elsewhere(entry);
        }
        self.judge_absence();
    }

    /// The generation, if the file at this path still holds it; closed, if that cannot be known.
    fn reopened(&self, entry: &Entry, path: &Path) -> Option<Generation> {
        let mut generation = self.generation(entry);
        let Ok(file) = open_as(&entry.fingerprint(), path) else { return Some(generation) };
        let file = file?;
        let metadata = file.metadata().ok()?;
        if Inode::of(&metadata) != entry.inode || is_another(&metadata, entry.born) {
            return None;
        }
        // A file that has lost its end with a crash of the machine goes on where it is.
        generation.seen = generation.seen.min(metadata.len());
        generation.ages.grew(generation.seen, 0, Instant::now());
        generation.attach(file);
        Some(generation)
    }

    fn resume_elsewhere(&mut self, entry: &Entry) {
        // Should the inode be there, it holds something else.
        self.ordinals.insert(entry.inode, entry.ordinal + 1);
        let holder = self.by_inode.get(&entry.inode).copied();
        let key = self.add(self.generation(entry));
        match holder {
            Some(holder) => self.by_inode.insert(entry.inode, holder),
            None => self.by_inode.remove(&entry.inode),
        };
        self.move_to_copy(key, "gone while not running");
    }

    /// As the checkpoint says, without its file
    fn generation(&self, entry: &Entry) -> Generation {
        let treatment = self.settings.treatment(&entry.path);
        let source = Source { path: entry.path.clone(), generation: entry.generation.clone(), treatment };
        let cursor = |outlet: &Outlet| {
            let known = entry.cursors.iter().find(|cursor| cursor.output == outlet.label);
            // An output that is new gets all that is still there.
            known.map_or_else(Cursor::default, |known| {
                Cursor::at(known.position, Anchor::known(known.anchor), known.skipping)
            })
        };
        Generation {
            source: Arc::new(source),
            home: entry.home.clone(),
            inode: entry.inode,
            born: entry.born,
            file: None,
            parked: false,
            head: entry.head,
            seen: entry.seen,
            modified: entry.modified,
            ages: Ages::default(),
            grown: Instant::now(),
            // The next look tells whether it is an input's still.
            place: Place::Rotated,
            ordinal: entry.ordinal,
            predecessor: None,
            ended: false,
            still: false,
            cursors: self.outlets.iter().map(cursor).collect(),
        }
    }
}
