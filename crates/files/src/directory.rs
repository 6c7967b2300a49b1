//! A directory on a volume that other users may write to as well. Everything in it is reached through one descriptor.

use std::{
    fs::{self, File, Metadata},
    io::{self, BufReader, BufWriter, Read, Take, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, fchmod, mkdirat, open, openat, renameat, renameat_with,
        statat, unlinkat,
    },
    io::Errno,
    process::geteuid,
};

use crate::{
    comparison, in_place,
    leftovers::{self, temporary_name},
    lock::Lock,
    permissions::Permissions,
    temporary::{Temporary, random},
};

/// Files in the directory get its group.
pub(crate) const SET_GROUP: u32 = 0o2000;

/// Bytes of content that is made or read in parts and that stand in memory at once
const BUFFER: usize = 64 * 1024;

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

    /// Opens a directory in this one. A symbolic link is refused, because who may write to this directory could make it lead
    /// anywhere.
    pub fn child(&self, name: &str) -> io::Result<Self> {
        refuse_path(name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.0, name, flags, Mode::empty()) {
            Ok(child) => Ok(Self(child.into())),
            // The kernel answers ENOTDIR for a link that is opened as a directory and not followed.
            Err(Errno::LOOP | Errno::NOTDIR) => Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{name} is not a directory (links do not count)"),
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a directory in this one, and makes it when it is missing. It appears with its mode, whatever the umask is.
    /// A directory that is there stays as it is. The bit that gives files in it the group of the directory is inherited.
    pub fn create_child(&self, name: &str, mode: u32) -> io::Result<Self> {
        match self.child(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let temporary = temporary_name(name, random()?);
        mkdirat(&self.0, &temporary, Mode::RWXU)?;
        let finished = self.finish_child(&temporary, name, mode);
        // Gone where the rename succeeded; an error leaves an empty directory, which `remove_leftovers` removes.
        let _ = unlinkat(&self.0, &temporary, AtFlags::REMOVEDIR);
        self.sync()?;
        finished
    }

    /// Gives a directory that was just made its mode and its name. Another process may have put another one in its place
    /// meanwhile: only an empty one of this process's user gets a mode by which others may enter it.
    fn finish_child(&self, temporary: &str, name: &str, mode: u32) -> io::Result<Self> {
        let child = self.child(temporary)?;
        let metadata = child.metadata()?;
        let mut names = Dir::read_from(&child.0)?;
        let is_empty = names.all(|entry| entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")));
        if metadata.uid() != geteuid().as_raw() || !is_empty {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another process replaced the new directory"));
        }
        fchmod(&child.0, Mode::from_raw_mode(mode | metadata.mode() & SET_GROUP))?;
        // A plain rename would replace an empty directory that another writer has just made and opened: rename(2).
        let renamed = match renameat_with(&self.0, temporary, &self.0, name, RenameFlags::NOREPLACE) {
            // A file system without that flag
            Err(Errno::INVAL) => renameat(&self.0, temporary, &self.0, name),
            renamed => renamed,
        };
        match renamed {
            // Another writer made it first.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => self.child(name),
            renamed => renamed.map(|()| child).map_err(io::Error::from),
        }
    }

    /// The owner, the mode and the device of the open directory
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    /// Keeps other processes that ask for the lock of this file out while the result lives, by a file `.NAME.lock` that only
    /// this process's user can open. `WouldBlock` says that another process holds it.
    pub fn lock_file(&self, name: &str) -> io::Result<Lock> {
        refuse_path(name)?;
        Lock::take_named(&self.0, &format!(".{name}.lock"))
    }

    /// The same for a file that is written in place, by a lock on the file itself.
    pub fn lock_in_place(&self, name: &str) -> io::Result<Lock> {
        refuse_path(name)?;
        Lock::take_existing(&self.0, name)
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
        self.write_with(name, permissions, |file| file.write_all(content))
    }

    /// The same with content that is made while it is written, for content that takes much memory. It is buffered.
    pub fn write_with(
        &self,
        name: &str,
        permissions: Permissions,
        write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
    ) -> io::Result<()> {
        refuse_path(name)?;
        let mut temporary = Temporary::create(&self.0, name, random)?;
        let write = |file: &mut File| {
            let mut file = BufWriter::with_capacity(BUFFER, file);
            write(&mut file)?;
            file.flush()
        };
        temporary.fill_with(write, permissions)?;
        temporary.publish(name)?;
        self.sync()
    }

    /// The same, unless a regular file of this name has this content, mode and owner already. The result is whether it was
    /// written.
    pub fn write_changed(&self, name: &str, content: &[u8], permissions: Permissions) -> io::Result<bool> {
        refuse_path(name)?;
        let is_changed = !comparison::holds(&self.0, name, content, permissions);
        if is_changed {
            self.write(name, content, permissions)?;
        }
        Ok(is_changed)
    }

    /// Whether there is a regular file of this name that belongs to this process's user, or to the user of these permissions, and
    /// has no other name.
    pub fn is_own_file(&self, name: &str, permissions: Permissions) -> bool {
        let users = [Some(geteuid().as_raw()), permissions.user];
        refuse_path(name).is_ok()
            && statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
                let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                is_file && stat.st_nlink == 1 && users.contains(&Some(stat.st_uid))
            })
    }

    /// Writes into the regular file that is there, for a file that is a mount of its own and cannot be replaced. A reader may
    /// see a part of it, and so may the next start after a kill. An equal file stays as it is; the result is whether it was
    /// written.
    pub fn write_in_place(&self, name: &str, content: &[u8], permissions: Permissions) -> io::Result<bool> {
        refuse_path(name)?;
        let is_changed = !comparison::holds(&self.0, name, content, permissions);
        if is_changed {
            in_place::write(&self.0, name, content, permissions)?;
        }
        Ok(is_changed)
    }

    /// Removes a file or a link, never what the link leads to. The result is whether there was one.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        refuse_path(name)?;
        match unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a regular file of at most `limit` bytes; `None` when there is none. A symbolic link is refused, because who
    /// may write to the directory could make it lead to a file that only this process may read; so are FIFOs and devices.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.read_with(name, limit, |file| {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map(|_| content)
        })
    }

    /// The same, with a function that takes the content in parts. It is buffered.
    pub fn read_with<T>(
        &self,
        name: &str,
        limit: u64,
        read: impl FnOnce(&mut BufReader<Take<File>>) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
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
        let mut file = BufReader::with_capacity(BUFFER, file.take(limit.saturating_add(1)));
        let content = read(&mut file);
        // Content that is cut there means nothing.
        if file.get_ref().limit() == 0 {
            return Err(io::Error::other(format!("it has more than {limit} bytes")));
        }
        content.map(Some)
    }

    /// Removes the temporary files that killed writers of this file left, and returns their number. Call it only while no
    /// other process writes the file, for example with the lock held.
    pub fn remove_leftovers(&self, name: &str) -> io::Result<usize> {
        refuse_path(name)?;
        leftovers::remove(&self.0, name)
    }

    /// The descriptor, for this crate's other ways of writing
    pub(crate) fn descriptor(&self) -> &File {
        &self.0
    }

    /// Puts the names in the directory on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            // Some network and FUSE file systems have no fsync of directories (fsync(2): EINVAL); the rename is done there.
            Err(Errno::INVAL | Errno::OPNOTSUPP) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<File> for Directory {
    /// An open directory
    fn from(directory: File) -> Self {
        Self(directory)
    }
}

/// A name is one component. Anything else could lead out of the directory.
pub(crate) fn refuse_path(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file in a directory is named without a path"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
