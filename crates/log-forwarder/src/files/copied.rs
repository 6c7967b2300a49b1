//! A content that goes on in a copy.

use std::path::Path;

use super::known::KnownFile;

/// Says that lines are read in a copy, if there are some.
pub(super) fn log_copy(file: &KnownFile, copy: &Path, length: u64) {
    if file.cursors.iter().any(|cursor| !cursor.is_closed && cursor.position < length) {
        let file = file.path().display();
        tracing::info!(%file, copy = %copy.display(), "its old content is read to its end in the copy");
    }
}
