//! The size of a file, and all that changes with it.

use crate::content::fingerprint::Head;

/// The size of a file, and all that changes with it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Bytes of text
    pub(crate) size: u64,
    /// NULs behind the text
    pub(crate) zeros: u64,
    pub(crate) modified: i64,
    /// An overlay gives a file another time when it copies the file up.
    pub(crate) born: Option<i64>,
    pub(crate) head: Head,
}
