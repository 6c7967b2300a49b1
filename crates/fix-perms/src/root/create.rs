//! Makes the directories that a path lacks, one after another from the last that is there.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use lifecycle::Exit;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags},
    io::Errno,
    process::geteuid,
};

use super::refusal;
use crate::{
    capabilities::Action,
    filesystem::FileSystem,
    fixer::Fixer,
    refusal::{Facts, Refusal, explained, is_of_volume},
    stat::Stat,
    trail::{printed, whole},
    volume::Volume,
    wanted::Change,
};

const PIN: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Makes what is missing, each with the wanted owner and mode before the next is made in it; the
/// last one, pinned.
pub(super) fn directories(volume: &Volume, fixer: &Fixer) -> anyhow::Result<OwnedFd> {
    let path = volume.path.as_path();
    if path.components().any(|component| component == Component::ParentDir) {
        let advice = "does not exist, and leads back through ..: write the path without it";
        return Err(Exit::Usage.because(format!("{} {advice}", printed(path))));
    }
    let begin = if path.is_absolute() { c"/" } else { c"." };
    let mut at =
        rustix::fs::open(begin, PIN, Mode::empty()).map_err(|error| refusal(path, error, fixer.capabilities))?;
    let mut done = PathBuf::new();
    let mut is_new = false;
    for component in path.components() {
        done.push(component);
        let Component::Normal(name) = component else { continue };
        // A link on the way that was there is followed, as in any path. One that was put where
        // something was missing is not.
        let is_last = done == path && !volume.follow_root;
        let follow = if volume.no_symlinks || is_new || is_last { OFlags::NOFOLLOW } else { OFlags::empty() };
        at = match rustix::fs::openat(&at, name, PIN | follow, Mode::empty()) {
            Err(Errno::NOENT) => {
                is_new = true;
                make(&at, name.as_bytes(), &done, fixer)?
            }
            opened => opened.map_err(|error| refusal(path, error, fixer.capabilities))?,
        };
    }
    Ok(at)
}

fn make(parent: &OwnedFd, name: &[u8], path: &Path, fixer: &Fixer) -> anyhow::Result<OwnedFd> {
    let cannot = |error: Errno| {
        let reason = Refusal { action: Action::Create, error }
            .explain(&Facts { file_system: FileSystem::of(parent), ..fixer.facts(None) });
        let (exit, reason) = match error {
            Errno::ACCESS | Errno::PERM | Errno::ROFS => (Exit::Denied, reason),
            error if is_of_volume(error) => (Exit::Io, explained(error)),
            error => (Exit::Failed, explained(error)),
        };
        exit.because(format!("cannot make {}: {reason}", printed(path)))
    };
    // Where a mode is wanted, it is closed to everyone else until it has that.
    let is_usual = !fixer.wanted.has_directory_mode();
    let mode = if is_usual { Mode::RWXU | Mode::RWXG | Mode::RWXO } else { Mode::RWXU };
    match rustix::fs::mkdirat(parent, name, mode) {
        // Another process makes it at the same time.
        Err(Errno::EXIST) => {
            return rustix::fs::openat(parent, name, PIN | OFlags::NOFOLLOW, Mode::empty()).map_err(cannot);
        }
        result => result.map_err(cannot)?,
    }
    let directory = rustix::fs::openat(parent, name, PIN | OFlags::NOFOLLOW, Mode::empty()).map_err(cannot)?;
    let stat = Stat::open(&directory).map_err(cannot)?;
    // Some file systems give everything to the user of their mount options. Where that is the
    // wanted one, a directory that was swapped in is at most the wanted owner's own.
    if stat.user != geteuid().as_raw() && Some(stat.user) != fixer.wanted.user {
        let reason = "is not the directory that was just made, or its file system gives everything to another user: \
                      mount it with the option uid= of the wanted owner";
        return Err(Exit::Failed.because(format!("{} {reason}", printed(path))));
    }
    // A symbolic mode starts from what mkdir(1) would give.
    let usual = Stat { mode: stat.mode & !0o777 | 0o777 & !fixer.wanted.umask, ..stat };
    let change = fixer.wanted.change(if is_usual { &stat } else { &usual });
    let mode = if is_usual { None } else { Some(change.mode.unwrap_or(usual.mode)) };
    let change =
        Change { mode: mode.filter(|mode| *mode != stat.mode), label: fixer.has_wrong_label(&directory), ..change };
    fixer.change(directory.as_fd(), &stat, change, &|| whole(path));
    tracing::info!(path = printed(path), "made");
    Ok(directory)
}
