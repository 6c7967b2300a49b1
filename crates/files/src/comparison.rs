//! Whether a file already is as a write would make it.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use rustix::{
    fs::{Mode, OFlags, openat},
    process::geteuid,
};

use zeroize::Zeroizing;

use crate::permissions::Permissions;

/// Whether a regular file of this name has this content, mode and owner. Whatever cannot be looked at does not.
///
/// Without a user in `permissions`, the file must belong to this process's user: a file that another user put there could be
/// changed by that user at any time. A file with a second name is not equal either, because that name may lie where other
/// users can open it.
pub(crate) fn holds(directory: &File, name: &str, content: &[u8], permissions: Permissions) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(file) = openat(directory, name, flags, Mode::empty()) else { return false };
    let file = File::from(file);
    let Ok(metadata) = file.metadata() else { return false };
    let user = permissions.user.unwrap_or_else(|| geteuid().as_raw());
    let is_equal = metadata.is_file()
        && metadata.nlink() == 1
        && metadata.uid() == user
        && permissions.group.is_none_or(|group| metadata.gid() == group)
        && metadata.permissions().mode() & 0o7777 == permissions.mode
        && metadata.len() == content.len() as u64;
    if !is_equal {
        return false;
    }
    // The content may be a secret that has been replaced; it is wiped here, and a vector that grows would leave copies.
    let mut found = Zeroizing::new(vec![0; content.len()]);
    (&file).read_exact(&mut found).is_ok() && *found == content && matches!((&file).read(&mut [0]), Ok(0))
}
