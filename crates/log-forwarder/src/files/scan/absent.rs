//! Files that are not open, and of whose inodes the listings of their directories have nothing.

use std::collections::HashMap;

use crate::{
    content::volume::Stat,
    files::{
        known::Key,
        listings::{Listing, Listings},
        names::origins,
        observe::Sighting,
        set::FileSet,
    },
};

/// Sightings of these files. A copy that was made before a file was deleted must not be taken for a
/// file that was never read.
pub(super) fn absent(keys: &[Key], listings: &mut Listings, set: &FileSet) -> Vec<(Key, Sighting)> {
    // Thousands of files can be deleted at once: each directory is looked through for all of them.
    let mut homes = HashMap::new();
    let mut sighting = |key: &Key| {
        let file = set.get(*key)?;
        let unknown = homes.entry(file.home.clone()).or_insert_with(|| greatest_unknown(&listings.of(&file.home), set));
        let position = file.foremost().map_or(0, |cursor| cursor.position);
        let greatest = unknown.get(file.path().file_name()?.to_str()?);
        Some(greatest.is_some_and(|size| *size >= position.max(1)))
    };
    let seen = |key: &Key| (*key, if sighting(key) == Some(true) { Sighting::Other } else { Sighting::Absent });
    keys.iter().map(seen).collect()
}

/// The size of the greatest unknown file that can have been rotated away from each name, or can be
/// a copy of one that was
fn greatest_unknown(listing: &Listing, set: &FileSet) -> HashMap<String, u64> {
    let mut greatest = HashMap::new();
    let may_be_copy = |stat: &Stat| stat.is_file() && !set.knows(stat);
    for entry in listing.entries().iter().filter(|entry| may_be_copy(&entry.stat)) {
        let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for origin in origins(name) {
            let size = greatest.entry(origin).or_insert(0);
            *size = entry.stat.size.max(*size);
        }
    }
    greatest
}
