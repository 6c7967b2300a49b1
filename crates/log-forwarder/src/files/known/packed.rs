//! A known file whose bytes lie in a compressed one.

use std::time::Instant;

use super::{Access, FileState, KnownFile};
use crate::{
    content::{Content, measure::Packed, volume::Stat},
    files::cursor::Cursor,
};

impl KnownFile {
    /// Whether it is open, and its bytes lie in a compressed file
    pub(crate) fn is_packed(&self) -> bool {
        self.content().is_some_and(Content::is_packed)
    }

    /// It is compressed: it is read once its length is known, or passed over as it is now.
    pub(crate) fn begin_compressed(&mut self, stat: &Stat, is_passed_over: bool) {
        (self.packed_size, self.access) = (Some(stat.size), Access::Closed);
        self.state = if is_passed_over { FileState::Rotated } else { FileState::Unmeasured { was_cut: false } };
    }

    /// Whether it is compressed, and nothing of its content is known yet
    pub(crate) fn is_untouched(&self) -> bool {
        !self.is_measured() && self.seen == 0
    }

    /// Whether its length is known, as far as it has one
    pub(crate) fn is_measured(&self) -> bool {
        !matches!(self.state, FileState::Unmeasured { .. })
    }

    /// The size of the file itself, which may be compressed
    pub(crate) fn size(&self) -> u64 {
        self.packed_size.unwrap_or(self.seen + self.zeros)
    }

    /// Its compressed file is unpacked again before more is read.
    pub(in crate::files) fn measure(&mut self, stat: Option<&Stat>, was_cut: bool, now: Instant) {
        if let Some(stat) = stat {
            (self.packed_size, self.modified) = (Some(stat.size), stat.modified);
        }
        (self.access, self.state, self.grown) = (Access::Closed, FileState::Unmeasured { was_cut }, now);
    }

    /// Its content is read from another file.
    pub(in crate::files) fn take_as_read(&mut self, packed: &Packed) {
        for cursor in self.cursors.iter_mut().filter(|cursor| !cursor.is_closed) {
            *cursor = Cursor::at(packed.length, packed.end.clone(), false);
        }
        (self.head, self.seen, self.ended) = (packed.head, packed.length, true);
        (self.packed_size, self.modified) = (Some(packed.stat.size), packed.stat.modified);
        (self.access, self.state) = (Access::Closed, FileState::Rotated);
    }
}
