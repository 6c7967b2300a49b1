//! A temporary file beside the file that it will replace.

use std::{
    fs::File,
    io::{self, Write},
};

use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, renameat, unlinkat},
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};

use crate::{leftovers::temporary_name, permissions::Permissions};

/// Names that are tried. With 64 random bits a taken name is an attack or a broken random source, not an accident.
const ATTEMPTS: u32 = 4;
/// Only this process may open the file before it has its content and its owner.
const UNFINISHED: Mode = Mode::RUSR.union(Mode::WUSR);

/// A temporary file in an open directory; removed when this is dropped before [`Temporary::publish`] succeeded
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    directory: &'a File,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    /// Creates the temporary file of `target` under a name that cannot be guessed. `O_EXCL` and `O_NOFOLLOW` refuse a name
    /// that is taken, also by a symbolic link.
    pub(crate) fn create(
        directory: &'a File,
        target: &str,
        mut random: impl FnMut() -> io::Result<u64>,
    ) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let name = temporary_name(target, random()?);
            match openat(directory, &name, flags, UNFINISHED) {
                Ok(file) => return Ok(Self { directory, name: Some(name), file: file.into() }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Writes all content and sets owner and mode, in this order: a change of the owner clears bits of the mode.
    pub(crate) fn fill(&mut self, content: &[u8], permissions: Permissions) -> io::Result<()> {
        self.fill_with(|file| file.write_all(content), permissions)
    }

    /// The same with content that is made while it is written.
    pub(crate) fn fill_with(
        &mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
        permissions: Permissions,
    ) -> io::Result<()> {
        write(&mut self.file)?;
        if permissions.user.is_some() || permissions.group.is_some() {
            let (user, group) = (permissions.user.map(Uid::from_raw), permissions.group.map(Gid::from_raw));
            fchown(&self.file, user, group)?;
        }
        fchmod(&self.file, Mode::from_raw_mode(permissions.mode))?;
        self.file.sync_all()
    }

    /// Gives the file the name of its target, in place of the former file. A symbolic link there is replaced, not
    /// followed.
    pub(crate) fn publish(mut self, target: &str) -> io::Result<()> {
        if let Some(name) = &self.name {
            renameat(self.directory, name, self.directory, target)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // An error is ignored, because the file has no content of use, and the next start removes leftovers.
        if let Some(name) = &self.name {
            let _ = unlinkat(self.directory, name, AtFlags::empty());
        }
    }
}

/// 64 bits that cannot be guessed
pub(crate) fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let mut length = 0;
    while length < bytes.len() {
        match getrandom(&mut bytes[length..], GetRandomFlags::empty()) {
            Ok(read) => length += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(u64::from_ne_bytes(bytes))
}
