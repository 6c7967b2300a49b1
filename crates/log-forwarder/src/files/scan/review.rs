//! Known files that are not open: whether they are where they were, and as they were.

use super::{Scan, absent::absent};
use crate::{
    content::volume::Entry,
    files::{
        finding::Found,
        known::{FileState, KnownFile},
        listings::Listings,
        names::Heir,
        observe::Sighting,
        place::Place,
        sight::unchanged,
        trust::Trust,
    },
};

/// Looks at files that are not open, unless the path of an input leads to them as they were. Forgets complete ones that are gone, and
/// opens those that could not be opened before. Returns the files to which their inodes were given: the inode was an input's, and so
/// is its new content.
pub(super) fn review_closed(found: &Found, scan: &mut Scan) -> Vec<Heir> {
    let volume = scan.looker.volume.clone();
    // Read again, because a file may have got another name since the scan has begun.
    let mut listings = Listings::new(volume.as_ref());
    let is_as_it_was = |file: &KnownFile| found.files.get(file.path()).is_some_and(|(stat, _)| file.is_unchanged(stat));
    let is_closed = |file: &KnownFile| match file.state {
        _ if file.is_open() => false,
        FileState::Rotated | FileState::Missing | FileState::Aside => true,
        FileState::Live => !is_as_it_was(file),
        _ => false,
    };
    let closed = scan.set.iter().filter(|(_, file)| is_closed(file));
    let closed: Vec<_> = closed.map(|(key, file)| (key, file.inode, file.home.clone())).collect();
    let (mut heirs, mut others, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, inode, home) in closed {
        let listing = listings.of(&home);
        let Some(file) = scan.set.get(key).filter(|_| !listing.is_blind) else { continue };
        let entry = listing.file(inode).filter(|entry| !entry.stat.is_another(file.born));
        if entry.is_some() && file.state == FileState::Missing {
            let sighting = unchanged(file);
            scan.looker.examine(scan.set, scan.names, key, &sighting, scan.now);
        }
        let Some(file) = scan.set.get(key) else { continue };
        if entry.is_some_and(|entry| file.is_complete(&entry.stat)) {
            continue;
        }
        if file.state == FileState::Aside {
            if entry.is_none() {
                scan.looker.examine(scan.set, scan.names, key, &Sighting::Absent, scan.now);
            }
            continue;
        }
        let (origin, is_remote) = (file.source.path.clone(), file.trust != Trust::Full);
        let has_room = scan.set.open_count() < scan.budget;
        let place = entry.map(|entry| scan.looker.reopen(scan.set, scan.names, (key, &entry.path), has_room, scan.now));
        match place {
            Some(Place::Same) => {
                // Its last lines come before those of a new file of its path.
                scan.looker.look_at(scan.set, scan.names, key, scan.now);
                continue;
            }
            Some(Place::Elsewhere) => {
                scan.names.doubt();
                continue;
            }
            Some(Place::Other) => others.push((key, Sighting::Other)),
            None => gone.push(key),
        }
        match entry.cloned() {
            // Where the inode is the path's, the content may be that of a known file whose name has come to this.
            _ if is_remote => scan.names.note_rotation(&origin),
            Some(Entry { path, stat }) => heirs.push(Heir { path, origin, stat }),
            None => {}
        }
    }
    scan.looker.examine_all(scan.set, scan.names, others, scan.now);
    // An inode that holds another content now may be that of a copy.
    let gone = absent(&gone, &mut listings, scan.set);
    scan.looker.examine_all(scan.set, scan.names, gone, scan.now);
    let is_missed = |file: &KnownFile| {
        let may_come = matches!(file.state, FileState::Live | FileState::Rotated);
        let has_turn = file.is_parked() && file.state == FileState::Live;
        !file.is_open() && may_come && !has_turn && !file.is_all_settled()
    };
    if scan.set.iter().any(|(_, file)| is_missed(file)) {
        scan.names.doubt();
    }
    heirs
}
