//! Where the last line of a file may go on: in the next file of the same path.

use super::{FileState, Key, KnownFile, OutputId};

impl KnownFile {
    /// Whether its last line may go on in the next file of the same path, which must not be read before it has ended.
    pub(crate) fn may_go_on(&self, output: OutputId) -> bool {
        let cursor = &self.cursors[output.0];
        let has_end = !cursor.is_closed && !cursor.has_failed && cursor.position < self.seen;
        has_end && self.is_open() && !self.ended && self.has_successor() && self.source.treatment.format.has_parts()
    }

    /// Whether the app may write to another file of the same path now
    pub(crate) fn has_successor(&self) -> bool {
        matches!(self.state, FileState::Rotated | FileState::Deleted)
    }

    /// Its place among the files of its path, in the order in which they were written. Files of several rotations that were seen
    /// together can be found in any order.
    pub(crate) fn place(&self, key: Key) -> (i64, Key) {
        (self.modified, key)
    }
}
