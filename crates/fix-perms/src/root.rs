//! The root of a tree: found by its path, and then held by a descriptor.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use lifecycle::Exit;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::{self, Errno},
};

mod create;

use crate::{
    capabilities::{Action, Capabilities},
    difference::Difference,
    directory::{About, Directory},
    filesystem::FileSystem,
    fixer::{Fixer, Treatment, restore},
    paths,
    refusal::{Facts, Refusal, explained, is_of_volume},
    stat::{Kind, Stat},
    trail::{Trail, printed, whole},
    volume::{Policy, Volume},
};

/// The entry that a PATH leads to
pub(crate) enum Root {
    Directory {
        root: Arc<Directory>,
        /// Its state before it was set right to be opened at all
        forced: Option<Stat>,
    },
    Single(Single),
    /// Nothing to look at; the reason is reported
    None,
}

/// Anything else: a name in a directory
pub(crate) struct Single {
    pub(crate) parent: Directory,
    pub(crate) name: CString,
}

/// Refuses a PATH that can't be a root, before anything is touched.
pub(crate) fn check(volume: &Volume, capabilities: Capabilities) -> anyhow::Result<()> {
    match pin(volume) {
        Err(Errno::NOENT) if volume.create => Ok(()),
        Err(error) => Err(refusal(&volume.path, error, capabilities)),
        Ok(pinned) => stat(volume, &pinned, capabilities).map(drop),
    }
}

/// Finds the root, or makes it where that is asked for.
pub(crate) fn open(volume: &Volume, fixer: &Fixer) -> anyhow::Result<Root> {
    let path = volume.path.as_path();
    let refused = |error| refusal(path, error, fixer.capabilities);
    let pinned = match pin(volume) {
        Err(Errno::NOENT) if volume.create && fixer.treatment == Treatment::Apply => {
            create::directories(volume, fixer)?
        }
        Err(Errno::NOENT) if volume.create => {
            fixer.differs(&|| whole(path), &Difference::missing);
            return Ok(Root::None);
        }
        pinned => pinned.map_err(refused)?,
    };
    let _ = fixer.file_system.set(FileSystem::of(&pinned));
    let stat = stat(volume, &pinned, fixer.capabilities)?;
    let trail = Trail::root(path.as_os_str().as_bytes());
    if !stat.is_directory() {
        return single(volume, fixer.capabilities).map(Root::Single);
    }
    let open =
        || rustix::fs::openat(&pinned, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let change = fixer.wanted.change(&stat);
    // Without the right to give the group back, a root whose change opens nothing would keep another.
    let has_way_back = || change.group.is_none() || fixer.capabilities.may_give_back(stat.group);
    let changes = fixer.treatment == Treatment::Apply && !change.is_nothing();
    let mut forced = None;
    let fd = match open() {
        Err(Errno::ACCESS) if changes && volume.policy() != Policy::Always => {
            let remedy = "add the capability DAC_OVERRIDE, or use --policy always";
            tracing::warn!(
                path = printed(path),
                remedy,
                "a closed root is not opened by its change with this policy, which trusts a changed root"
            );
            Err(Errno::ACCESS)
        }
        Err(Errno::ACCESS) if changes && has_way_back() => {
            // A process that may change it may open it then.
            fixer.set(pinned.as_fd(), &stat, &|| trail.whole());
            forced = Some(stat);
            open().inspect_err(|_| restore(&pinned, &stat))
        }
        fd => fd,
    };
    let fd = match fd {
        Err(error @ Errno::ACCESS) => {
            fixer.refused(Refusal { action: Action::Look, error }, Some(&stat), &|| trail.whole());
            return Ok(Root::None);
        }
        fd => fd.map_err(refused)?,
    };
    let stat = Stat::open(&fd).map_err(refused)?;
    Ok(Root::Directory { root: Directory::new(fd, About { stat, trail, depth: 0 }).into(), forced })
}

/// Finds a PATH that is no directory again, as a name in one.
fn single(volume: &Volume, capabilities: Capabilities) -> anyhow::Result<Single> {
    let refused = |error| refusal(&volume.path, error, capabilities);
    let path = if volume.follow_root {
        let resolved = volume.path.canonicalize();
        resolved.map_err(|error| refused(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?
    } else {
        volume.path.clone()
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(refused(Errno::NOENT)) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let resolve = if volume.no_symlinks { ResolveFlags::NO_SYMLINKS } else { ResolveFlags::empty() };
    let fd = open_by_path(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, resolve).map_err(refused)?;
    let stat = Stat::open(&fd).map_err(refused)?;
    let about = About { stat, trail: Trail::root(parent.as_os_str().as_bytes()), depth: 0 };
    let name = CString::new(name.as_bytes()).map_err(|_| refused(Errno::INVAL))?;
    Ok(Single { parent: Directory::new(fd, about), name })
}

/// Looks at what was found, and refuses what is too easily a mistake.
fn stat(volume: &Volume, pinned: &OwnedFd, capabilities: Capabilities) -> anyhow::Result<Stat> {
    let path = volume.path.as_path();
    let stat = Stat::open(pinned).map_err(|error| refusal(path, error, capabilities))?;
    if stat.kind == Kind::Link {
        let advice = "is a symbolic link: name what it leads to, or give --follow-root";
        return Err(Exit::Usage.because(format!("{} {advice}", printed(path))));
    }
    if !volume.allow_root && is_top(&stat) {
        let advice = "is the root of the file system: name a volume, or give --allow-root";
        return Err(Exit::Usage.because(format!("{} {advice}", printed(path))));
    }
    Ok(stat)
}

/// Holds the entry at the path, without opening it.
fn pin(volume: &Volume) -> io::Result<OwnedFd> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if !volume.follow_root {
        flags |= OFlags::NOFOLLOW;
    }
    let resolve = if volume.no_symlinks { ResolveFlags::NO_SYMLINKS } else { ResolveFlags::empty() };
    open_by_path(&volume.path, flags, resolve)
}

/// By openat2(2) only where that is needed: seccomp profiles and kernels may not know it.
fn open_by_path(path: &Path, flags: OFlags, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    if resolve.is_empty() {
        return rustix::fs::open(path, flags, Mode::empty());
    }
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve)
}

/// Whether it is `/`, by whatever path
fn is_top(stat: &Stat) -> bool {
    Stat::at(CWD, c"/").is_ok_and(|top| top.id == stat.id)
}

fn refusal(path: &Path, error: Errno, capabilities: Capabilities) -> anyhow::Error {
    let missing = paths::missing(path);
    let path = printed(path);
    match error {
        Errno::NOENT => Exit::Usage.because(format!("{path} does not exist: {missing}")),
        Errno::NOTDIR => Exit::Usage.because(format!("{path} leads through something that is no directory")),
        Errno::LOOP => Exit::Usage.because(format!("{path} leads through a symbolic link: name where it leads")),
        Errno::NOSYS => Exit::Usage.because("--no-symlinks needs Linux 5.6 or newer: leave it out".to_owned()),
        Errno::ACCESS | Errno::PERM => Exit::Denied.because(format!(
            "cannot open {path}: {}",
            Refusal { action: Action::Look, error }.explain(&Facts::unknown(capabilities))
        )),
        error => {
            let exit = if is_of_volume(error) { Exit::Io } else { Exit::Failed };
            exit.because(format!("cannot open {path}: {}", explained(error)))
        }
    }
}
