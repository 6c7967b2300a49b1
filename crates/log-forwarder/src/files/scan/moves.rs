//! Known files that have come to another directory.

use super::Scan;
use crate::files::{finding::Found, listings::Listings, names::Heir, set::Change};

/// Notes the directory in which a known file lies now, which is where it is looked for when it is not open, and after a restart. One
/// that lies where it was, too, has several names and stays at home.
pub(super) fn follow_moves(found: &Found, renamed: &[Heir], scan: &mut Scan, listings: &mut Listings) {
    // A link says nothing about the place of its file.
    let of_inputs = found.files.iter().filter(|(_, (_, is_link))| !is_link).map(|(path, (stat, _))| (path, stat));
    for (path, stat) in of_inputs.chain(renamed.iter().map(|heir| (&heir.path, &heir.stat))) {
        let known = scan.set.known(stat).and_then(|key| Some((key, scan.set.get(key)?)));
        let Some((key, file)) = known else { continue };
        let home = listings.home(path, false);
        if file.home == home {
            continue;
        }
        let listing = listings.of(&file.home);
        if !listing.is_blind && listing.file(stat.inode).is_none() {
            scan.set.apply(Change::Move(key, home), scan.now);
        }
    }
}
