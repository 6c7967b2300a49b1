//! Paths at which another file was found than the one that their directory named a moment before:
//! one or more rotations have come between, and the files of these rotations have other names.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use super::{Key, Listings, Scan, Scanner};

/// A path that an input leads to, and whether a link is part of it
pub(super) type Missed = (Arc<Path>, bool);

/// Rotations that come while the names are read once more are left to the next scan.
const PASSES: usize = 3;

impl Scanner {
    /// Takes in the files that came to these paths, and those that were rotated away from them before: these are older. The
    /// names are read once for all paths, because in a storm there are thousands of them.
    pub(super) fn take_missed(&mut self, scan: &mut Scan, live: &mut BTreeSet<Key>) {
        let volume = scan.looker.volume.clone();
        for _ in 0..PASSES {
            let missed = std::mem::take(&mut self.missed);
            if missed.is_empty() {
                return;
            }
            let mut listings = Listings::new(volume.as_ref());
            for (path, _) in &missed {
                scan.names.note_rotation(path);
            }
            let heirs = scan.names.heirs(scan.set, &self.inputs, &mut listings, scan.now);
            self.take_heirs(heirs, scan, &mut listings);
            // A name that was in doubt before still is.
            scan.names.doubt();
            for (path, is_link) in &missed {
                if let Ok(stat) = volume.stat(path) {
                    live.extend(self.take_input(path, stat, *is_link, scan, &mut listings));
                }
            }
        }
        self.missed.clear();
    }
}
