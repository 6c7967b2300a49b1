//! A lock on a directory: one process at a time uses it.

use std::{fs::File, io};

use rustix::{
    fd::OwnedFd,
    fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, fstatfs, openat},
    process::geteuid,
};

/// The file that is locked as well where a lock on the directory would hold on this machine alone
const NAME: &str = ".lock";
/// Other users' processes must be able to lock the file, too; it holds nothing.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// The app may have put a link or a FIFO there.
const FLAGS: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Magic numbers of network file systems on which the kernel sends flock of a file to the server and keeps that of a directory
/// to itself (`linux/magic.h`): NFS, CIFS, SMB2
const NETWORK: [u32; 3] = [0x0000_6969, 0xff53_4d42, 0xfe53_4d42];

/// Keeps other processes out of a directory or a file while it lives; made by [`Directory::lock`](crate::Directory::lock) and
/// [`Directory::lock_file`](crate::Directory::lock_file)
///
/// The kernel holds the lock for descriptors of its own, so that a kill leaves nothing behind that keeps others out.
#[derive(Debug)]
#[must_use = "the lock ends with this value"]
pub struct Lock {
    _directory: Option<OwnedFd>,
    _file: Option<OwnedFd>,
}

impl Lock {
    /// Locks an open directory without waiting. `WouldBlock` says that another process holds the lock.
    pub(crate) fn take(directory: &File) -> io::Result<Self> {
        // A duplicate would share the lock with `directory`, which may live longer.
        let descriptor = openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        flock(&descriptor, FlockOperation::NonBlockingLockExclusive)?;
        let file = if is_network(directory)? { Some(lock_file(directory)?) } else { None };
        Ok(Self { _directory: Some(descriptor), _file: file })
    }

    /// Locks a file that is there.
    pub(crate) fn take_existing(directory: &File, name: &str) -> io::Result<Self> {
        let descriptor = openat(directory, name, FLAGS.difference(OFlags::CREATE), Mode::empty())?;
        flock(&descriptor, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _directory: None, _file: Some(descriptor) })
    }

    /// Locks a file of this name that only this process's user can open, so that another user cannot keep the lock from it.
    pub(crate) fn take_named(directory: &File, name: &str) -> io::Result<Self> {
        let descriptor = openat(directory, name, FLAGS, Mode::RUSR | Mode::WUSR)?;
        let stat = fstat(&descriptor)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file || stat.st_uid != geteuid().as_raw() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{name} belongs to another user: remove it"),
            ));
        }
        flock(&descriptor, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _directory: None, _file: Some(descriptor) })
    }
}

fn is_network(directory: &File) -> io::Result<bool> {
    // Its type differs between platforms; the magic number has 32 bits everywhere.
    let magic = u32::try_from(fstatfs(directory)?.f_type & 0xffff_ffff).unwrap_or_default();
    Ok(NETWORK.contains(&magic))
}

/// Locks a file in the directory. NFS wants it open for writing: there an exclusive flock is a byte-range lock of the whole
/// file, which all clients see (flock(2), since Linux 2.6.12).
fn lock_file(directory: &File) -> io::Result<OwnedFd> {
    let descriptor = openat(directory, NAME, FLAGS, MODE)?;
    flock(&descriptor, FlockOperation::NonBlockingLockExclusive)?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn the_file_of_a_network_file_system_is_locked_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let open = File::open(directory.path()).unwrap();
        assert!(!is_network(&open).unwrap());
        let lock = lock_file(&open).unwrap();
        assert_eq!(lock_file(&open).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        assert!(lock_file(&open).is_ok());
    }

    #[test]
    fn a_link_in_place_of_the_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        symlink(&victim, directory.path().join(NAME)).unwrap();
        assert!(lock_file(&File::open(directory.path()).unwrap()).is_err());
        assert!(!victim.exists());
    }

    #[test]
    fn a_lock_on_a_local_directory_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let open = File::open(directory.path()).unwrap();
        let _lock = Lock::take(&open).unwrap();
        assert_eq!(Lock::take(&open).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
