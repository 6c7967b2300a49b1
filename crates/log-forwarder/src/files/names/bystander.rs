//! A file beside an input that has the name of a rotated one and never was an input's.

use serde::{Deserialize, Serialize};

use crate::content::volume::Stat;

/// The marks by which such a file is known again, in addition to its inode
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bystander {
    /// When it was last written, in nanoseconds since 1970: a copy of an input may be written over it
    pub(crate) modified: i64,
    /// When it was made, where the file system knows that: its inode may be given to another file
    pub(crate) born: Option<i64>,
}

impl Bystander {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self { modified: stat.modified, born: stat.born }
    }

    /// Whether a file with its inode is it. It may grow: its writer is another process.
    pub(crate) fn is(self, stat: &Stat) -> bool {
        !stat.is_another(self.born)
    }
}
