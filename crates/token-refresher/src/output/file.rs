//! An output that is one file.

use std::{
    io,
    path::{Path, PathBuf},
};

use files::Permissions;

use super::{Writing, error::OutputError, target::Target, trust::Use};
use crate::{
    format::{Content, Format},
    value::fields::Fields,
};

/// A file with values of a secret
#[derive(Clone, Debug)]
pub(super) struct FileOutput {
    /// Absolute, and with a name in UTF-8
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) permissions: Permissions,
    pub(super) writing: Writing,
}

impl FileOutput {
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    pub(super) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub(super) fn used(&self) -> Use<'_> {
        Use::File(self.name())
    }

    pub(super) fn content(&self, fields: &Fields) -> Result<Content, OutputError> {
        self.format.write(fields).map_err(|error| OutputError::unfit(&self.path, &error))
    }

    /// A file that is a mount of its own cannot be replaced.
    pub(super) fn refuse_mount_point(&self, target: &Target) -> Result<(), OutputError> {
        if !target.is_mount_point || self.writing == Writing::InPlace {
            return Ok(());
        }
        let path = self.path.display();
        Err(OutputError::Place(format!(
            "{path} is mounted as a single file, which cannot be replaced: mount its directory, or set write: in-place"
        )))
    }

    pub(super) fn write(&self, target: &Target, content: &[u8]) -> io::Result<bool> {
        // Another user may have put a file there, open for reading.
        let is_fit = || target.is_mount_point || target.directory.is_own_file(self.name(), self.permissions);
        if self.writing == Writing::InPlace && is_fit() {
            match target.directory.write_in_place(self.name(), content, self.permissions) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                written => return written,
            }
        }
        target.directory.write_changed(self.name(), content, self.permissions)
    }

    pub(super) fn delete(&self, target: &Target) -> io::Result<()> {
        if target.is_mount_point {
            // The mount stays; its content goes.
            return target.directory.write_in_place(self.name(), b"", self.permissions).map(drop);
        }
        target.directory.remove(self.name()).map(drop)
    }
}
