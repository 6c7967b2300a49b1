//! Why values were not written.

use std::{io, path::Path};

use lifecycle::Exit;

use crate::format::Unfit;

/// Why an output could not be written. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The file's format cannot express the values, or the source has no such field.
    #[error("{0}")]
    Unfit(String),
    /// The place is none for a secret: other users could replace the file, or nothing could be replaced there.
    #[error("{0}")]
    Place(String),
    /// Another process writes the same file.
    #[error("{0}")]
    Busy(String),
    /// The volume or the kernel refuses.
    #[error("{message}")]
    Volume { message: String, kind: io::ErrorKind },
}

impl OutputError {
    /// The label `reason` in metrics
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unfit(_) => "unfit",
            Self::Place(_) => "place",
            Self::Busy(_) => "busy",
            Self::Volume { .. } => "volume",
        }
    }

    /// The exit code of a task that ends for this reason
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unfit(_) => Exit::Data,
            Self::Place(_) => Exit::Config,
            Self::Busy(_) => Exit::Unavailable,
            Self::Volume { kind: io::ErrorKind::PermissionDenied, .. } => Exit::Denied,
            Self::Volume { .. } => Exit::Io,
        }
    }

    /// Whether another try fails for the same reason, so that a task ends.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unfit(_) | Self::Place(_) => true,
            Self::Busy(_) => false,
            Self::Volume { kind, .. } => {
                matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
            }
        }
    }

    /// Whether the volume does not answer, so that the next file would take as long.
    pub(crate) fn is_hung(&self) -> bool {
        matches!(self, Self::Volume { kind: io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock, .. })
    }

    pub(super) fn unfit(path: &Path, error: &Unfit) -> Self {
        Self::Unfit(format!("cannot write {}: {error}", path.display()))
    }

    pub(super) fn volume(path: &Path, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => "; mount the volume without readOnly in this container",
            io::ErrorKind::ResourceBusy => {
                "; a file that is mounted by itself cannot be replaced: mount its directory, or set write: in-place"
            }
            io::ErrorKind::StorageFull => "; raise the sizeLimit of the emptyDir",
            io::ErrorKind::PermissionDenied if error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) => {
                "; a file for another `owner` needs the capability CHOWN, and a `group` needs membership in it"
            }
            io::ErrorKind::PermissionDenied => "; let this container's user write to the directory",
            _ => "",
        };
        let message = format!("cannot write {}: {error}{remedy}", path.display());
        Self::Volume { message, kind: error.kind() }
    }

    /// Whether the directory is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Volume { kind: io::ErrorKind::NotFound, .. })
    }
}
