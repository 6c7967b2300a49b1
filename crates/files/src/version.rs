//! The version of a small file: whether it is still the one that was read.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Everything that changes about a file when its content does: the inode, the size, the times of modification and change
///
/// Two equal versions mean the same content, except on file systems whose times are coarser than the interval between two
/// writes of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// The version of the file at `path`, through symbolic links, so that a swap of the kubelet's `..data` link is a new
    /// version. `None` when the file is missing or cannot be looked at.
    ///
    /// Take the version before the read: a write between the two then shows as a new version at the next look.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from_metadata(&metadata))
    }

    /// The version that this metadata describes, for callers that hold the file open.
    pub fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_swapped_link_and_a_replaced_file_are_new_versions() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for set in ["one", "two"] {
            fs::create_dir(path(set)).unwrap();
            fs::write(path(set).join("token"), "same size").unwrap();
        }
        symlink("one", path("..data")).unwrap();
        symlink("..data/token", path("token")).unwrap();
        let before = Version::of(&path("token"));
        assert!(before.is_some());
        assert_eq!(Version::of(&path("token")), before);
        symlink("two", path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        let swapped = Version::of(&path("token"));
        assert_ne!(swapped, before);
        fs::write(path("new"), "same size").unwrap();
        fs::rename(path("new"), path("two/token")).unwrap();
        assert_ne!(Version::of(&path("token")), swapped);
        assert_eq!(Version::of(&path("gone")), None);
    }
}
