//! What `explain` says of an output.

use std::path::PathBuf;

use files::Permissions;

use super::mount::Mount;

/// The place of an output, before anything is written there
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The paths that the app reads
    pub(crate) files: Vec<(PathBuf, Permissions)>,
    /// The mount that they lie on, or will lie on
    pub(crate) mount: Mount,
    /// Whether the file is a mount of its own
    pub(crate) is_mount_point: bool,
    /// Why no secret would be written there
    pub(crate) refusal: Option<String>,
}
