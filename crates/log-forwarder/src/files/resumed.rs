//! A file of the last run, found again under its inode.

use std::{path::Path, time::Instant};

use super::known::{Access, FileState, KnownFile};
use crate::content::{copies::open_as, volume::Volume};

/// A known file as a checkpoint describes it, opened again where a listing has it; the description,
/// if it is not there or holds something else.
pub(crate) fn resume_file(
    mut file: KnownFile,
    path: &Path,
    volume: &dyn Volume,
    now: Instant,
) -> Result<KnownFile, Box<KnownFile>> {
    if file.packed_size.is_some() {
        return resume_packed(file, path, volume);
    }
    let (content, anchors) = match open_as(volume, &file.fingerprint(), path) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(file.into()),
        // A question that has no answer now may have one later.
        Err(_) => return Ok(file),
    };
    let Ok(stat) = content.stat() else { return Err(file.into()) };
    if !stat.is_of(file.inode, file.born) {
        return Err(file.into());
    }
    // A file that has lost its end with a crash of the machine goes on where it is.
    file.seen = file.seen.min(stat.size);
    file.ages.grew(file.seen, 0, now);
    file.access = Access::Closed;
    file.attach(content, &anchors, now);
    Ok(file)
}

/// The same of a compressed file. One that has more to read, or was written since, is unpacked
/// again first.
fn resume_packed(mut file: KnownFile, path: &Path, volume: &dyn Volume) -> Result<KnownFile, Box<KnownFile>> {
    match volume.stat(path) {
        Ok(stat) if !stat.is_of(file.inode, file.born) => Err(file.into()),
        Ok(stat) if file.is_complete(&stat) => Ok(file),
        _ => {
            file.state = FileState::Unmeasured { was_cut: false };
            Ok(file)
        }
    }
}
