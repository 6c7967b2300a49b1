//! How far the system can be believed about an open file: on a mount that other hosts write, not always.

use std::time::Duration;

use crate::content::volume::Handle;

/// A mount may keep for this long what it knows of names: FUSE and SMB for a second, NFS for three by default.
pub(crate) const OUT_OF_DATE: Duration = Duration::from_secs(5);

/// Contents of one inode in a row of which each has only another head than the one before. Then they are taken for one.
pub(crate) const MOST_REWRITES: u8 = 2;

/// How far the system's words about an open file are true of it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Full,
    /// Another host may change it: they can be old, or those about another file that has its path now.
    Limited,
    /// They contradict each other: the file is read until a read finds nothing.
    None,
}

impl Trust {
    pub(crate) fn in_words_about(handle: &dyn Handle) -> Self {
        if handle.is_remote() { Self::Limited } else { Self::Full }
    }
}
