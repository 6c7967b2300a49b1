//! Resumes from a checkpoint: finds each of its files again, also under another name, or its copy.

use std::{collections::HashMap, path::Path, sync::Arc, time::Instant};

use super::{checkpoint::Checkpoint, entry::Entry, stored_path::StoredPath};
use crate::{
    content::{
        fingerprint::Anchor,
        volume::{Inode, Volume},
    },
    files::{
        ages::Ages,
        cursor::Cursor,
        follower::{Follower, resume_file},
        known::{Access, FileState, KnownFile},
        listings::Listings,
        names::Names,
        set::KnownOutput,
        trust::Trust,
    },
    records::span::Source,
};

/// Begins where the last run has ended. Call it before anything else is known.
pub(crate) fn resume(follower: &mut Follower, checkpoint: Checkpoint, now: Instant) {
    let Checkpoint { inputs, watched, rotated, bystanders, files, saved, .. } = checkpoint;
    let paths = |paths: Vec<StoredPath>| paths.into_iter().map(|StoredPath(path)| path).collect();
    follower.names = Names::resume(paths(watched), paths(rotated), bystanders.into_iter().collect());
    follower.scanner.selecting.resume(inputs);
    let volume = follower.volume().clone();
    let mut listings = Listings::new(volume.as_ref());
    let mut missing = Vec::new();
    let is_read = |path: &Path| follower.scanner.inputs.iter().any(|input| input.matches(path));
    let mut files = files.0;
    let others = files.extract_if(.., |entry| !is_read(&entry.path)).collect();
    let (moved, aside) = moved(others, follower, volume.as_ref());
    for entry in aside {
        let listing = listings.of(&entry.home);
        if listing.is_blind || listing.file(entry.inode).is_some_and(|there| !there.stat.is_another(entry.born)) {
            tracing::info!(file = %entry.path.display(), "no input leads to it any more");
            let file = KnownFile { state: FileState::Aside, ..known_file(&entry, follower, now) };
            follower.begin(follower.set.next_key(), file, now);
        }
    }
    let mut elsewhere = None;
    // Each file has its place in the order again, also one that is not found yet.
    for (key, entry) in (follower.set.next_key()..).zip(files.into_iter().chain(moved)) {
        let file = known_file(&entry, follower, now);
        let listing = listings.of(&entry.home);
        let resumed = match listing.file(entry.inode) {
            Some(there) => resume_file(file, &there.path, volume.as_ref(), now),
            // A question that has no answer now may have one later.
            None if listing.is_blind => Ok(file),
            None => {
                let paths = elsewhere.get_or_insert_with(|| follower.scanner.paths_by_inode(volume.as_ref()));
                resume_elsewhere(file, paths, volume.as_ref(), now)
            }
        };
        match resumed {
            Ok(file) => follower.begin(key, file, now),
            Err(file) => {
                if let Some(there) = listing.file(file.inode) {
                    follower.names.note_other_content(there, &file);
                }
                missing.push((key, *file));
            }
        }
    }
    // Only when all known inodes are known can another one be a copy.
    follower.begin_missing(missing, now);
    follower.judge_absence(saved);
}

/// A file that is not in its directory any more: an input may lead to it in another one.
fn resume_elsewhere(
    file: KnownFile,
    paths: &HashMap<Inode, Arc<Path>>,
    volume: &dyn Volume,
    now: Instant,
) -> Result<KnownFile, Box<KnownFile>> {
    let Some(path) = paths.get(&file.inode) else { return Err(file.into()) };
    let home = file.home.clone();
    let moved = KnownFile { home: volume.home(path).into(), ..file };
    resume_file(moved, path, volume, now).map_err(|file| KnownFile { home, ..*file }.into())
}

/// Those of these files, to whose paths no input leads any more, that an input finds at another path; and the others.
fn moved(entries: Vec<Entry>, follower: &Follower, volume: &dyn Volume) -> (Vec<Entry>, Vec<Entry>) {
    let paths = if entries.is_empty() { HashMap::new() } else { follower.scanner.paths_by_inode(volume) };
    let (mut moved, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        match paths.get(&entry.inode) {
            Some(path) => {
                let home = StoredPath(volume.home(path).into());
                moved.push(Entry { path: StoredPath(path.clone()), home, ..entry });
            }
            None => others.push(entry),
        }
    }
    (moved, others)
}

/// As the checkpoint says, without its open file
fn known_file(entry: &Entry, follower: &Follower, now: Instant) -> KnownFile {
    let treatment = follower.treatment(&entry.path);
    let source = Source { path: entry.path.0.clone(), generation: entry.generation.clone(), treatment };
    let cursor = |output: &KnownOutput| {
        let known = entry.cursors.iter().find(|cursor| cursor.output == output.label);
        // An output that is new gets all that is still there.
        known.map_or_else(Cursor::of_new_output, |known| {
            Cursor::at(known.position, Anchor::Hash(known.anchor), known.skipping)
        })
    };
    KnownFile {
        source: Arc::new(source),
        home: entry.home.0.clone(),
        inode: entry.inode,
        born: entry.born,
        access: Access::Closed,
        head: entry.head,
        seen: entry.seen,
        // The next look finds them.
        zeros: 0,
        modified: entry.modified,
        written: entry.written.unwrap_or(entry.modified),
        packed_size: entry.packed,
        ages: Ages::default(),
        grown: now,
        // The next scan finds whether it is an input's still.
        state: FileState::Rotated,
        ordinal: entry.ordinal,
        // Where it is there, it may grow in any case.
        ended: !entry.may_grow,
        is_quiet: false,
        trust: Trust::Full,
        rewrites: 0,
        cursors: follower.set.known_outputs().iter().map(cursor).collect(),
    }
}

#[cfg(test)]
mod tests;
