//! Where the content of a generation goes on after its file was truncated, or was not found again: in a copy, or nowhere.

use std::{collections::BTreeSet, fs::Metadata, path::Path, task::Poll, time::Instant};

use crate::{
    content::{
        Content,
        identity::{Anchor, Inode, born},
        unpacked::Unpacked,
    },
    files::{
        catalog::Catalog,
        copies::{Packed, Sought},
        generation::{Generation, Place, modified},
        search::{self, Search},
    },
};

impl Catalog {
    /// Looks the content of a generation up among the files of its directory. Bytes that are not there are lost for this reason.
    pub(crate) fn move_to_copy(&mut self, key: u64, reason: &'static str) {
        let Some(generation) = self.generations.get(&key) else { return };
        let sought = Sought::of(generation);
        if let Some((copy, path)) = sought.find(|metadata| self.is_no_copy(metadata))
            && let Ok(metadata) = copy.metadata()
        {
            self.anchor(key, |position| Anchor::read(&copy, position).unwrap_or_default());
            self.go_on(key, copy, &path, &metadata, metadata.len());
        } else if search::packed(&sought, &self.inodes()).is_empty() {
            self.write_off(key, reason);
        } else if let Some(generation) = self.generations.get_mut(&key) {
            generation.place = Place::Sought(reason);
        }
    }

    /// Looks a content up among compressed files, one after the other. True if there is news of it.
    pub(crate) fn seek(&mut self, key: u64, reason: &'static str) -> bool {
        let Some(search) = &self.search else {
            let Some(generation) = self.generations.get(&key) else { return false };
            match Search::start(key, Sought::of(generation), self.inodes()) {
                Ok(search) => self.search = Some(search),
                Err(error) => self.complain(generation.source.path.clone(), "cannot look for the copy of", &error),
            }
            return false;
        };
        let is_stale = !self.generations.contains_key(&search.key);
        if search.key != key && !is_stale {
            return false;
        }
        let Poll::Ready(found) = search.answer() else { return false };
        self.search = None;
        if is_stale {
            // The found file belongs to another generation.
            return false;
        }
        match found {
            Some(packed) => self.unpack(key, packed, reason),
            None => self.write_off(key, reason),
        }
        true
    }

    fn unpack(&mut self, key: u64, packed: Packed, reason: &'static str) {
        let Some(metadata) = packed.file.metadata().ok().filter(|metadata| !self.is_no_copy(metadata)) else {
            return self.move_to_copy(key, reason);
        };
        let anchors = packed.anchors;
        self.anchor(key, |position| anchors.get(&position).cloned().unwrap_or_default());
        let content = Content::Packed(Unpacked::new(packed.file));
        self.go_on(key, content, &packed.path, &metadata, packed.length);
    }

    /// Gives cursors the bytes before them; after a restart they have none yet.
    fn anchor(&mut self, key: u64, before: impl Fn(u64) -> Anchor) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        for cursor in generation.cursors.iter_mut().filter(|cursor| cursor.anchor.bytes().is_empty()) {
            cursor.anchor = before(cursor.position);
        }
    }

    /// The content of a generation lies in this file from now on, with this length.
    pub(crate) fn go_on(&mut self, key: u64, content: Content, copy: &Path, metadata: &Metadata, length: u64) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        if generation.cursors.iter().any(|cursor| !cursor.closed && cursor.position < length) {
            let file = generation.source.path.display();
            tracing::info!(%file, copy = %copy.display(), "its old content is read to its end in the copy");
        }
        // A compressed one is whole.
        generation.ended = matches!(content, Content::Packed(_));
        if generation.ended || length < generation.seen {
            self.resize(key, length);
        }
        let Some(generation) = self.generations.get_mut(&key) else { return };
        (generation.inode, generation.born) = (Inode::of(metadata), born(metadata));
        generation.place = Place::Rotated;
        generation.file = Some(content);
        // The next look finds bytes that the copy has and that were not seen.
        generation.grown = Instant::now();
        self.by_inode.insert(Inode::of(metadata), key);
        self.changed = true;
    }

    /// Lines written between the copy and the truncation are lost; counts them.
    fn resize(&mut self, key: u64, length: u64) {
        let Some(generation) = self.generations.get_mut(&key) else { return };
        for (output, cursor) in generation.cursors.iter().enumerate() {
            let lost = generation.seen.saturating_sub(length.max(cursor.in_flight_end));
            if lost > 0 {
                let file = generation.source.path.display();
                tracing::error!(%file, bytes = lost, "lost: the copy ends before what was seen");
                self.ledger.of(output).lost(lost, "not copied");
            }
        }
        generation.seen = length;
    }

    /// Whether a file is another generation, what an output of ours writes, or never was an input's.
    fn is_no_copy(&self, metadata: &Metadata) -> bool {
        let inode = Inode::of(metadata);
        self.own_files.has_inode(inode)
            || self.knows(inode)
            || self.bystanders.get(&inode).is_some_and(|bystander| bystander.modified == modified(metadata))
    }

    fn inodes(&self) -> BTreeSet<Inode> {
        self.by_inode.keys().copied().collect()
    }
}

impl Sought {
    fn of(generation: &Generation) -> Self {
        Self {
            home: generation.home.clone(),
            path: generation.source.path.clone(),
            born: generation.born,
            written: generation.modified,
            content: generation.fingerprint(),
        }
    }
}
