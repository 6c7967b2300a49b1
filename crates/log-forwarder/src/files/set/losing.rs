//! The part of [`FileSet::apply`] that counts bytes as lost.

use super::FileSet;
use crate::files::{
    cursor::{Cursor, Since},
    known::{Access, FileState, Key, OutputId},
    loss::LossReason,
};

impl FileSet {
    /// The copy of a content has this length. Bytes that were seen behind its end are lost.
    pub(super) fn cut(&mut self, key: Key, length: u64) {
        self.lose_behind(key, length, LossReason::NotCopied);
        self.change(key, |file| file.seen = file.seen.min(length));
    }

    pub(super) fn lose(&mut self, key: Key, reason: LossReason) {
        self.release_inode(key);
        self.lose_behind(key, 0, reason);
        self.has_moved = true;
        self.change(key, |file| (file.access, file.state) = (Access::Closed, FileState::Lost));
    }

    /// The bytes that were seen behind an offset, and that an output has not read, are lost.
    fn lose_behind(&mut self, key: Key, offset: u64, reason: LossReason) {
        let Some(file) = self.files.get(&key) else { return };
        let mut most = 0;
        // A new output gets the lines that are still there, and has not lost the others.
        let is_gone_before = |cursor: &Cursor| cursor.since == Since::Restart && reason == LossReason::GoneWhileDown;
        let is_none = |cursor: &Cursor| cursor.is_closed || is_gone_before(cursor);
        for (output, cursor) in file.cursors.iter().enumerate().filter(|(_, cursor)| !is_none(cursor)) {
            let lost = file.seen.saturating_sub(offset.max(cursor.in_flight_end));
            most = most.max(lost);
            if lost > 0 {
                self.ledger.of(OutputId(output)).lost(lost, reason);
            }
        }
        if most > 0 {
            let file = file.path().display();
            tracing::error!(%file, bytes = most, %reason, "lost: no output gets the rest of this file");
        } else if reason == LossReason::GoneWhileDown && !file.ended {
            let file = file.path().display();
            tracing::warn!(%file, "its content is gone: lines that came since the last run are not counted");
        }
    }
}
