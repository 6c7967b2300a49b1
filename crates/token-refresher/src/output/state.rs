//! What an output remembers between two writes: its lock, and whether the app may have missed a change.

use std::{
    fmt, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use files::Lock;

use super::{error::OutputError, mount::Mount, target::Target, trust::Use};

/// The lock of a set, in the directory that is the set's own
const SET: &str = "set";

#[derive(Default)]
pub(super) struct State {
    held: Mutex<Option<Held>>,
    is_unsure: AtomicBool,
    has_warned: AtomicBool,
}

/// A lock, and the device and inode of the directory that it is in
#[derive(Debug)]
struct Held {
    directory: (u64, u64),
    /// Not on file systems that have no locks
    _lock: Option<Lock>,
}

impl State {
    /// Notes that the files may change from here on, and returns whether that was so already.
    pub(super) fn begin(&self) -> bool {
        self.is_unsure.swap(true, SeqCst)
    }

    /// Notes that the files are known again.
    pub(super) fn finish(&self) {
        self.is_unsure.store(false, SeqCst);
    }

    /// Keeps other refreshers away from the file until this process ends, and removes the temporary files of one that was
    /// killed. A directory that was replaced is locked again.
    pub(super) fn lock(&self, target: &Target, path: &Path, used: Use) -> Result<(), OutputError> {
        let refused = |error: io::Error| OutputError::volume(path, &error);
        let metadata = target.directory.metadata().map_err(refused)?;
        let directory = (metadata.dev(), metadata.ino());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.directory == directory) {
            return Ok(());
        }
        *held = None;
        let lock = match used {
            Use::File(name) if target.is_mount_point => target.directory.lock_in_place(name),
            Use::File(name) => target.directory.lock_file(name),
            Use::Set => target.directory.lock_file(SET),
        };
        let lock = match lock {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let path = path.display();
                let message =
                    format!("another process keeps {path} fresh: give each its own files, or stop one of them");
                return Err(OutputError::Busy(message));
            }
            // NFS with nolock, and FUSE without locks
            Err(error) if error.kind() == io::ErrorKind::Unsupported || is_without_locks(&error) => None,
            Err(error) => return Err(refused(error)),
        };
        if let (Use::File(name), false) = (used, target.is_mount_point) {
            target.directory.remove_leftovers(name).map_err(refused)?;
        }
        *held = Some(Held { directory, _lock: lock });
        Ok(())
    }

    /// Says once that the secret goes to a disk, where it may outlive the pod.
    pub(super) fn warn_unless_in_memory(&self, target: &Target, path: &Path) {
        let Ok(mount) = Mount::of(&target.directory) else { return };
        if !mount.is_in_memory && !self.has_warned.swap(true, SeqCst) {
            let (path, kind) = (path.display(), mount.kind);
            tracing::warn!(%path, kind, "a secret goes to a disk; an emptyDir with medium: Memory keeps it off");
        }
    }
}

/// Two entries of a configuration are compared by this text, and what an output remembers is no part of its entry.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("State")
    }
}

fn is_without_locks(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::NOLCK, rustix::io::Errno::NOSYS].iter().any(|errno| code == Some(errno.raw_os_error()))
}
