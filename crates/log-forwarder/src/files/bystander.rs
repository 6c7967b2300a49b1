//! A file beside an input that has the name of a rotated one and never was an input's.

use std::fs::Metadata;

use serde::{Deserialize, Serialize};

use crate::{
    content::identity::{born, is_another},
    files::generation::modified,
};

/// The marks by which such a file is known again, in addition to its inode
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bystander {
    /// When it was last written, in nanoseconds since 1970: a copy of an input may be written over it
    pub(crate) modified: i64,
    /// When it was made, where the file system tells: its inode may be given to another file
    pub(crate) born: Option<i64>,
}

impl Bystander {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { modified: modified(metadata), born: born(metadata) }
    }

    /// Whether a file with its inode is it. It may grow: its writer is another process.
    pub(crate) fn is(self, metadata: &Metadata) -> bool {
        !is_another(metadata, self.born)
    }
}
