//! Files that were written, rotated and compressed while no forwarder ran: they are not read, and the log names each of them.

use std::{collections::BTreeSet, io, path::Path, sync::Arc};

use super::{
    Names,
    siblings::{Sibling, packed_siblings},
};
use crate::{
    content::{Content, fingerprint::Head, unpacked::Unpacked, volume::Volume},
    files::{known::KnownFile, listings::Listings, set::FileSet},
    settings::input::Input,
};

/// The time in which no forwarder ran
#[derive(Debug)]
pub(super) struct Absence {
    /// When the last run saved its state, in nanoseconds since 1970. It does so after each of its files has gone: a compressed file
    /// that is as old holds what it has read.
    pub(super) since: i64,
    /// Paths of inputs that were rotated in that time
    pub(super) rotated: BTreeSet<Arc<Path>>,
}

impl Names {
    /// Names the compressed files that may hold lines which no run has seen. Call it when all other files of the absence are known.
    pub(crate) fn name_unread(&mut self, set: &FileSet, inputs: &[Input], listings: &mut Listings) {
        let Some(Absence { since, rotated }) = self.absence.take() else { return };
        for Sibling { entry, origin, .. } in packed_siblings(&rotated, listings) {
            let is_read = inputs.iter().any(|input| input.matches(&entry.path)) || set.knows(&entry.stat);
            let is_of_input = inputs.iter().any(|input| input.may_rotate(&origin, &entry.path));
            if entry.stat.modified <= since || is_read || !is_of_input {
                continue;
            }
            let mut known = set.of_path(&origin).map(|(_, file)| file);
            if is_new(&entry.path, &mut known, listings.volume()).unwrap_or(false) {
                tracing::warn!(
                    file = %entry.path.display(),
                    "not read: it was written, rotated and compressed while log-forwarder did not run; an input with \
                     --read-compressed reads such files"
                );
            }
        }
    }
}

/// Whether a compressed file has text that begins as none of the known files.
fn is_new<'a>(path: &Path, known: &mut impl Iterator<Item = &'a KnownFile>, volume: &dyn Volume) -> io::Result<bool> {
    let content = Content::Packed(Unpacked::new(volume.open(path)?));
    let has_text = Head::read(&content, 1)?.length > 0;
    let is_alike = |file: &KnownFile| file.head.length > 0 && file.head.is_of(&content).unwrap_or(false);
    Ok(has_text && !known.any(is_alike))
}
