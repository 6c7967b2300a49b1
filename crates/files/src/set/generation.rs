//! A generation: the directory with all files of one state of a set.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, fchmod, futimens, mkdirat, openat, unlinkat},
    io::Errno,
    process::geteuid,
};

use super::Member;
use crate::{
    comparison,
    directory::SET_GROUP,
    temporary::{Temporary, random},
};

/// All may read the names; the mode of each file says who may read it.
const MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);
/// A generation stays for this long after it was replaced: a reader that has resolved `..data` a moment ago opens the files
/// after it.
const GRACE: Duration = Duration::from_secs(5);
/// Names of one directory that are looked at; a set has far fewer files, and a few generations at a time.
pub(super) const NAME_LIMIT: usize = 10_000;

/// A generation that is being written; removed when this is dropped before [`Generation::keep`]
#[derive(Debug)]
pub(super) struct Generation<'a> {
    directory: &'a File,
    name: Option<String>,
}

impl<'a> Generation<'a> {
    /// Writes all files into a new directory, whose name cannot be guessed. All is on the disk on return.
    pub(super) fn write(directory: &'a File, members: &[Member]) -> io::Result<Self> {
        let name = format!("..{:016x}", random()?);
        mkdirat(directory, &name, Mode::RWXU)?;
        let generation = Self { directory, name: Some(name) };
        let inside = open(directory, generation.name())?;
        for member in members {
            let mut file = Temporary::create(&inside, member.name, random)?;
            file.fill(member.content, member.permissions)?;
            file.publish(member.name)?;
        }
        let inherited = inside.metadata()?.mode() & SET_GROUP;
        fchmod(&inside, MODE.union(Mode::from_raw_mode(inherited)))?;
        match rustix::fs::fsync(&inside) {
            // As in `Directory::sync`
            Err(Errno::INVAL | Errno::OPNOTSUPP) | Ok(()) => Ok(generation),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Keeps the directory, because `..data` names it.
    pub(super) fn keep(mut self) -> String {
        self.name.take().unwrap_or_default()
    }
}

impl Drop for Generation<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // An error leaves it to the next write.
            let _ = remove(self.directory, name);
        }
    }
}

/// Whether this is the name of a generation.
pub(super) fn is_name(name: &str) -> bool {
    let random = name.strip_prefix("..");
    random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the generation has exactly these files.
pub(super) fn holds(directory: &File, name: &str, members: &[Member]) -> bool {
    let Ok(inside) = open(directory, name) else { return false };
    let is_ours =
        inside.metadata().is_ok_and(|found| found.uid() == geteuid().as_raw() && found.mode() & 0o777 == MODE.bits());
    is_ours
        && names(&inside).is_ok_and(|names| names.len() == members.len())
        && members.iter().all(|member| comparison::holds(&inside, member.name, member.content, member.permissions))
}

/// Notes the time in the directory itself, where it survives a kill: [`remove_old`] counts from it.
pub(super) fn mark_replaced(directory: &File, name: &str) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    // Without the mark the generation goes earlier, because its time is that of its last file.
    let _ = open(directory, name)
        .and_then(|inside| Ok(futimens(&inside, &Timestamps { last_access: now, last_modification: now })?));
}

/// Removes the generations that were replaced long enough ago, and those that a killed writer left.
pub(super) fn remove_old(directory: &File, current: &str) -> io::Result<()> {
    let now = SystemTime::now();
    for name in generations(directory)? {
        let is_old = || {
            let modified = open(directory, &name)?.metadata()?.modified()?;
            // A time in the future is older than a change of the clock.
            io::Result::Ok(now.duration_since(modified).map_or(true, |age| age > GRACE))
        };
        // An error leaves it to the next write, because the set itself is as it should be.
        if name != current && is_old().unwrap_or(true) {
            let _ = remove(directory, &name);
        }
    }
    Ok(())
}

/// Removes all generations.
pub(super) fn remove_all(directory: &File) -> io::Result<()> {
    generations(directory)?.iter().try_for_each(|name| remove(directory, name))
}

/// The names in a directory, without `.` and `..`; those that are not UTF-8 are none of ours.
pub(super) fn names(directory: &File) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)?.take(NAME_LIMIT) {
        match CString::from(entry?.file_name()).into_string() {
            Ok(name) if name != "." && name != ".." => names.push(name),
            _ => {}
        }
    }
    Ok(names)
}

fn generations(directory: &File) -> io::Result<Vec<String>> {
    let mut names = names(directory)?;
    names.retain(|name| is_name(name));
    Ok(names)
}

fn open(directory: &File, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, name, flags, Mode::empty())?.into())
}

/// Removes a generation of this process's user with its files. What another user made under such a name stays.
fn remove(directory: &File, name: &str) -> io::Result<()> {
    let inside = match open(directory, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if inside.metadata()?.uid() != geteuid().as_raw() {
        return Ok(());
    }
    for file in names(&inside)? {
        unlinkat(&inside, &file, AtFlags::empty())?;
    }
    Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
}
