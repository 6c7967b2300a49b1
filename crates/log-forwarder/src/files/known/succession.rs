//! Where the last line of a file may go on: in the next file of the same path.

use super::{FileState, Key, KnownFile, OutputId};

impl KnownFile {
    /// Whether its last line may go on in the next file of the same path, which must not be read before this one has ended, or
    /// was found among compressed files.
    pub(crate) fn may_go_on(&self, output: OutputId) -> bool {
        let cursor = &self.cursors[output.0];
        let is_read = !cursor.is_closed && !cursor.has_failed && self.source.treatment.format.has_parts();
        let may_grow = self.is_open() && !self.ended && self.has_successor();
        is_read && (self.is_awaited() || may_grow && cursor.position < self.seen)
    }

    /// Whether it was compressed since it was rotated, and will be found, or unpacked once more, within seconds.
    pub(crate) fn is_awaited(&self) -> bool {
        match self.state {
            FileState::Sought(_) => true,
            FileState::Unmeasured { was_cut } => !was_cut && !self.source.treatment.reads_compressed,
            _ => false,
        }
    }

    /// Whether the app may write to another file of the same path now
    pub(crate) fn has_successor(&self) -> bool {
        matches!(self.state, FileState::Rotated | FileState::Deleted)
    }

    /// Its place among the files of its path, in the order in which they were written. Files of several rotations that were seen
    /// together can be found in any order.
    pub(crate) fn place(&self, key: Key) -> (i64, Key) {
        (self.written, key)
    }
}
