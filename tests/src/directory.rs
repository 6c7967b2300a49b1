//! A directory for one server of one test: its data, settings, certificates and log.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Debian's user and group `nobody`; databases refuse to run as root.
pub const NOBODY: u32 = 65534;

/// A temporary directory that belongs to [`NOBODY`], with all files that are written into it
pub struct Directory(TempDir);

impl Directory {
    /// An empty directory, removed when dropped
    pub fn new() -> Self {
        // Not below TMPDIR, because `nobody` must be able to enter it, and the path of a socket has at most 107 bytes.
        let directory = TempDir::with_prefix_in("peer-", "/tmp").expect("a temporary directory");
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("root, who may give a directory away");
        Self(directory)
    }

    /// The path of the directory
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a name in it
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that only its owner reads: PostgreSQL refuses any other key.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        self.write_with_mode(name, content, 0o600)
    }

    /// Writes a file with these permission bits.
    pub fn write_with_mode(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("a file in the test's directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("its owner");
        path
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}
