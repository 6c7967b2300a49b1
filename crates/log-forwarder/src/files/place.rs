//! The file at the path at which a known file was seen: between two questions, another file may
//! have come there.

use std::{io, path::Path, sync::Arc};

use super::{
    known::{FileState, KnownFile},
    observe::{Marks, Sighting},
    sight::{text_size, unchanged},
    trust::Trust,
};
use crate::content::{
    Content,
    volume::{Handle, Stat, Volume},
};

/// The outcome of a look at the path at which a known file was seen
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file with its content, as far as its marks say
    Same,
    /// The file, or its inode, with another content
    Other,
    /// Another file or none: this one was renamed or deleted since, and a scan finds it.
    Elsewhere,
}

/// The file at the path of one that waits for a descriptor; `None` if the file is elsewhere. It is
/// opened for a moment when it was written, for which there is a reserve.
pub(super) fn peek(volume: &dyn Volume, file: &KnownFile, path: &Path) -> Option<Sighting> {
    let is_this = |stat: &Stat| stat.is_of(file.inode, file.born);
    let stat = volume.stat(path).ok().filter(is_this)?;
    let (zeros, head) = (file.zeros, file.head);
    if file.packed_size.is_some() {
        return file.is_unchanged(&stat).then(|| unchanged(file));
    }
    if stat.size < file.seen {
        // The size that a mount states may be an old one.
        return (file.trust == Trust::Full).then_some(Sighting::Closed { stat, zeros: 0, head });
    }
    let as_it_was = |stat: Stat| Stat { size: stat.size.saturating_sub(zeros).max(file.seen), ..stat };
    if file.is_unchanged(&stat) {
        return Some(Sighting::Closed { stat: as_it_was(stat), zeros, head });
    }
    let handle = match volume.open(path) {
        Ok(handle) => handle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        // A question that has no answer now may have one later.
        Err(_) => return Some(Sighting::Closed { stat: as_it_was(stat), zeros, head }),
    };
    // Another file may have come to the path in between.
    let stat = handle.stat().ok().filter(|stat| is_this(stat) && stat.size >= file.seen)?;
    // Bytes that cannot be read may be NULs, which are not text yet.
    let Ok(size) = text_size(file, handle.as_ref(), &stat) else { return Some(unchanged(file)) };
    let content = Content::Plain(handle);
    match file.fingerprint().is_of(&content) {
        Ok(true) => {}
        Ok(false) => return Some(Sighting::Other),
        Err(_) => return Some(unchanged(file)),
    }
    let head = file.head.grown(&content, size).ok().flatten().unwrap_or(file.head);
    Some(Sighting::Closed { stat: Stat { size, ..stat }, zeros: stat.size - size, head })
}

/// Whether the descriptor of an open file may be out of date: all that has changed is its time, or
/// the system contradicts itself. A mount whose files are written elsewhere keeps old bytes for a
/// descriptor, or has a new file's size for it.
pub(super) fn is_out_of_date(file: &KnownFile, sighting: &Sighting) -> bool {
    match sighting {
        Sighting::Open { stat, marks: Marks::Same(_), .. } => stat.size == file.seen && stat.modified != file.modified,
        Sighting::Open { marks: Marks::Contradictory, .. } => true,
        _ => false,
    }
}

/// An open file once more, if its path leads to it still
pub(super) fn open_again(volume: &dyn Volume, file: &KnownFile) -> Option<Arc<dyn Handle>> {
    if file.state != FileState::Live {
        return None;
    }
    let handle = volume.open(file.path()).ok()?;
    (handle.stat().ok()?.inode == file.inode).then_some(handle)
}
