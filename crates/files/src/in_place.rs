//! A file that is written where it is, because it is a mount of its own and no rename can replace it.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
};

use rustix::{
    fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, openat},
    io::Errno,
};

use crate::permissions::Permissions;

/// Gives the regular file of this name this owner, mode and content.
pub(crate) fn write(directory: &File, name: &str, content: &[u8], permissions: Permissions) -> io::Result<()> {
    // Not truncated at once: while the new content is written, a reader sees as little of an empty file as possible.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file: File = match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link, not a regular file")),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // Before the content, so that nobody reads it by the former mode. A change of the owner clears bits of the mode.
    let is_owned = permissions.user.is_none_or(|user| user == metadata.uid())
        && permissions.group.is_none_or(|group| group == metadata.gid());
    if !is_owned {
        fchown(&file, permissions.user.map(Uid::from_raw), permissions.group.map(Gid::from_raw))?;
    }
    if !is_owned || metadata.mode() & 0o7777 != permissions.mode {
        fchmod(&file, Mode::from_raw_mode(permissions.mode))?;
    }
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}
