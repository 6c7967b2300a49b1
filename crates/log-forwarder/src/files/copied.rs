//! A content that goes on in a copy.

use std::path::Path;

use super::known::KnownFile;
use crate::content::fingerprint::Anchor;

/// Says that lines are read in a copy, if there are some.
pub(super) fn log_copy(file: &KnownFile, copy: &Path, length: u64) {
    if file.cursors.iter().any(|cursor| !cursor.is_closed && cursor.position < length) {
        let file = file.path().display();
        tracing::info!(%file, copy = %copy.display(), "its old content is read to its end in the copy");
    }
}

/// Gives cursors the bytes before them; after a restart they have none yet.
pub(super) fn fill_anchors(file: &mut KnownFile, before: impl Fn(u64) -> Anchor) {
    for cursor in file.cursors.iter_mut().filter(|cursor| cursor.anchor.bytes().is_empty()) {
        cursor.anchor = before(cursor.position);
    }
}
