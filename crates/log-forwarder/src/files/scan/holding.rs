//! Whether the path of an input still leads to the content that its inode is known to have.

use std::path::Path;

use super::Scan;
use crate::{
    content::{Content, volume::Stat},
    files::{fate::Fate, known::Key, observe::Sighting, place::Place, set::Change, trust::Trust},
};

/// The file to which a path leads with a known inode; `None` if the inode has a content that is not known. An open file is looked
/// at elsewhere; a closed one is opened again when it has changed, and forgotten if its inode was given to another file.
pub(super) fn holder_at(key: Key, path: &Path, stat: &Stat, scan: &mut Scan) -> Option<Key> {
    let file = scan.set.get(key)?;
    if file.is_open() && file.trust == Trust::None {
        compare(key, path, scan);
        return scan.set.known(stat);
    }
    if file.is_open() || file.is_complete(stat) {
        return Some(key);
    }
    let has_room = scan.set.open_count() < scan.budget;
    match scan.looker.reopen(scan.set, scan.names, (key, path), has_room, scan.now) {
        Place::Same => return Some(key),
        Place::Other => drop(scan.looker.examine(scan.set, scan.names, key, &Sighting::Other, scan.now)),
        Place::Elsewhere => scan.names.doubt(),
    }
    None
}

/// Compares the bytes of an open file, about which the system contradicts itself, with those to which its path leads. On a mount
/// that finds a file by its path, the inode can be that of another file, which has come there.
fn compare(key: Key, path: &Path, scan: &mut Scan) {
    let Some(file) = scan.set.get(key) else { return };
    let marks = file.fingerprint();
    let opened = scan.looker.volume.open(path).and_then(|handle| {
        let (stat, content) = (handle.stat()?, Content::Plain(handle));
        let is_same = marks.read_in(&content)?.is_some();
        Ok((stat, content, is_same))
    });
    match opened {
        Ok((stat, ..)) if stat.inode != file.inode => scan.names.doubt(),
        Ok((_, content, true)) => drop(scan.set.apply(Change::Meet(key, Fate::Refresh(content)), scan.now)),
        Ok(_) => {
            let is_readable = file.content().is_some_and(|content| !matches!(marks.read_in(content), Ok(None)));
            let sighting = if is_readable { Sighting::Displaced } else { Sighting::Other };
            scan.looker.examine(scan.set, scan.names, key, &sighting, scan.now);
        }
        // The next scan asks again.
        Err(_) => {}
    }
}
