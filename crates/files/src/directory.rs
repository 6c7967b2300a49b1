//! A directory on a volume that other users may write to as well. Everything in it is reached through one descriptor.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, open, openat},
    io::Errno,
};

use crate::{
    leftovers,
    lock::Lock,
    permissions::Permissions,
    temporary::{Temporary, random},
};

/// An open directory
///
/// The path is resolved once, at the start, and trusted as the operator wrote it. Names inside are single components that
/// are never followed when they are links.
#[derive(Debug)]
pub struct Directory(File);

impl Directory {
    /// Opens a directory that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?.into()))
    }

    /// Opens a directory, and makes it and its parents when they are missing.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Self::open(path)
    }

    /// Keeps other processes that ask for this lock out while the result lives. Does not wait: `WouldBlock` says that
    /// another process holds it. Some network file systems have no locks, and say so with another error. On NFS and SMB the
    /// lock holds for all nodes by a file `.lock` in the directory, unless the mount says `nolock` or `local_lock=flock`
    /// (nfs(5)).
    pub fn lock(&self) -> io::Result<Lock> {
        Lock::take(&self.0)
    }

    /// Writes a file that appears whole or not at all, and is on the disk on return. It replaces
    /// the former file of this name. A symbolic link is replaced too, and its target stays as it is.
    ///
    /// On failure the former file stays and the temporary file is removed, as far as the volume still allows it.
    pub fn write(&self, name: &str, content: &[u8], permissions: Permissions) -> io::Result<()> {
        refuse_path(name)?;
        let mut temporary = Temporary::create(&self.0, name, random)?;
        temporary.fill(content, permissions)?;
        temporary.publish(name)?;
        self.sync()
    }

    /// Reads a regular file of at most `limit` bytes; `None` when there is none. A symbolic link is refused, because who
    /// may write to the directory could make it lead to a file that only this process may read; so are FIFOs and devices.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        refuse_path(name)?;
        // A FIFO without a writer would keep the opening waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file: File = match openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link, not a regular file")),
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut content = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(io::Error::other(format!("it has more than {limit} bytes")));
        }
        Ok(Some(content))
    }

    /// Removes the temporary files that killed writers of this file left, and returns their number. Call it only while no
    /// other process writes the file, for example with the lock held.
    pub fn remove_leftovers(&self, name: &str) -> io::Result<usize> {
        refuse_path(name)?;
        leftovers::remove(&self.0, name)
    }

    /// Puts the names in the directory on the disk.
    fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            // Some network and FUSE file systems have no fsync of directories (fsync(2): EINVAL); the rename is done there.
            Err(Errno::INVAL | Errno::OPNOTSUPP) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A name is one component. Anything else could lead out of the directory.
fn refuse_path(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file in a directory is named without a path"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
