//! The directory that shows processes, open from one scrape to the next.

use std::{io, mem::MaybeUninit, path::Path};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, PROC_SUPER_MAGIC, RawDir, SeekFrom, fstatfs, open, seek},
};

use super::own_namespace;

/// Bytes for the names that one call returns
const NAMES_BYTES: usize = 16 * 1024;

/// `/proc`
#[derive(Debug)]
pub(super) struct ProcFolder {
    pub(super) folder: OwnedFd,
    /// False for a directory of ordinary files, for example a test's
    pub(super) is_procfs: bool,
    /// True when the kernel knows the processes by these numbers
    pub(super) knows_numbers: bool,
}

impl ProcFolder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let is_procfs = fstatfs(&folder).is_ok_and(|statfs| statfs.f_type == PROC_SUPER_MAGIC);
        let knows_numbers = own_namespace::is_shown_by(&folder);
        Ok(Self { folder, is_procfs, knows_numbers })
    }

    /// The numbers of all processes, sorted
    pub(super) fn process_ids(&self) -> io::Result<Vec<u32>> {
        seek(&self.folder, SeekFrom::Start(0))?;
        let mut names = [MaybeUninit::uninit(); NAMES_BYTES];
        let mut entries = RawDir::new(self.folder.as_fd(), &mut names);
        let mut ids = Vec::new();
        while let Some(entry) = entries.next() {
            ids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }
}
