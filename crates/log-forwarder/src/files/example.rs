//! For tests: a known file of a hundred bytes, which are read and acknowledged.

use std::{path::Path, time::Instant};

use super::{cursor::Cursor, known::KnownFile, trust::Trust};
use crate::content::{
    fingerprint::{Anchor, Head},
    volume::{Handle, Inode, Kind, Stat},
};

/// Bytes of its text
pub(crate) const SIZE: u64 = 100;

/// The head of its text
pub(crate) fn head() -> Head {
    Head::of(b"the first line")
}

/// As the system describes it
pub(crate) fn stat() -> Stat {
    let inode = Inode { device: 1, inode: 7 };
    Stat { inode, born: Some(5), size: SIZE, modified: 1000, links: 1, kind: Kind::Regular }
}

/// It lies open under the name of its input, and was seen to grow now.
pub(crate) fn file(now: Instant) -> KnownFile {
    let handle: std::sync::Arc<dyn Handle> = std::sync::Arc::new(tempfile::tempfile().expect("a file"));
    let input = (Path::new("/logs/app.log").into(), std::sync::Arc::default());
    let cursors = vec![Cursor::at(SIZE, Anchor::default(), false)];
    let file = KnownFile::new(input, Path::new("/logs").into(), handle, &stat(), cursors, now);
    KnownFile { head: head(), seen: SIZE, trust: Trust::Full, ..file }
}
