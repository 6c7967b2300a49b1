//! The directory of an output, open and looked at.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use files::{Directory, resolve};
use rustix::process::geteuid;

use super::{
    error::OutputError,
    mount::{Mount, is_mount_point},
    trust::{Owned, Use, refusal},
};

/// Of directories that are made: all may pass, because the mode of each file says who may read it.
const DIRECTORY_MODE: u32 = 0o755;

/// The place of a file or a set
#[derive(Debug)]
pub(super) struct Target {
    pub(super) directory: Directory,
    /// Whether the file is a mount of its own
    pub(super) is_mount_point: bool,
}

/// Whether missing directories are made
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Leave,
}

impl Target {
    /// Opens the directory at `path` and refuses one that others can change.
    pub(super) fn open(path: &Path, used: Use, missing: Missing) -> Result<Self, OutputError> {
        let mode = (missing == Missing::Make).then_some(DIRECTORY_MODE);
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::NotADirectory => OutputError::Place(format!("cannot write to {}: {error}", path.display())),
            _ => OutputError::volume(path, &error),
        };
        let directory = resolve(path, mode).map_err(refused)?;
        let is_mount_point = match used {
            Use::File(name) => is_mount_point(&directory, name).map_err(refused)?,
            Use::Set => false,
        };
        let metadata = directory.metadata().map_err(refused)?;
        let owned = Owned { user: metadata.uid(), mode: metadata.mode() };
        match refusal(owned, path, used, geteuid().as_raw()) {
            // No other process replaces a mount.
            Some(reason) if !is_mount_point => Err(OutputError::Place(reason)),
            _ => Ok(Self { directory, is_mount_point }),
        }
    }
}

/// The mount that a directory is on, or will be on when it is made
pub(super) fn mount(path: &Path) -> io::Result<Mount> {
    let mut at: PathBuf = path.into();
    loop {
        match resolve(&at, None) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && at.pop() => {}
            opened => return Mount::of(opened?),
        }
    }
}
