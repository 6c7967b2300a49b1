//! A lock on a directory: one process at a time uses it.

use std::{fs::File, io};

use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, Mode, OFlags, flock, openat},
};

/// Keeps other processes out of a directory while it lives; made by [`Directory::lock`](crate::Directory::lock)
///
/// The kernel holds the lock for a descriptor of its own, so that a kill leaves nothing behind and no file has to be removed.
#[derive(Debug)]
#[must_use = "the lock ends with this value"]
pub struct Lock {
    _descriptor: OwnedFd,
}

impl Lock {
    /// Locks an open directory without waiting. `WouldBlock` says that another process holds the lock.
    pub(crate) fn take(directory: &File) -> io::Result<Self> {
        // A duplicate would share the lock with `directory`, which may live longer.
        let descriptor = openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        flock(&descriptor, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _descriptor: descriptor })
    }
}
