//! The owner and the mode of a file that is written here.

/// The mode and the owner that a file has from the moment it appears; the umask does not change them
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// For example `0o640`
    pub mode: u32,
    /// The user id; `None` leaves that of this process. Another one needs the capability CHOWN.
    pub user: Option<u32>,
    /// The group id; `None` leaves the group that the volume gives new files
    pub group: Option<u32>,
}

impl Permissions {
    /// This mode, and the owner that the volume gives to files of this process
    pub const fn mode(mode: u32) -> Self {
        Self { mode, user: None, group: None }
    }
}
