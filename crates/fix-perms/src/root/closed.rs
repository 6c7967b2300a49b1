//! Opens a root that is closed to this process, but not to its owner.

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    fs::{AtFlags, Gid, Uid, chownat},
    io::{self, Errno},
    process::geteuid,
};

use crate::{
    fchmodat2::change_mode,
    fixer::{Fixer, restore},
    stat::Stat,
};

/// The bits by which an owner gets into a directory, and those of all others
const OWNER_ENTERS: u16 = 0o500;
const OTHERS_ENTER: u16 = 0o005;
const OWNER_WRITES: u16 = 0o200;

/// Changes a closed root until `open` succeeds, but never to what is wanted: a run that is killed
/// now must not leave a root that a later one trusts.
pub(super) fn open(
    fixer: &Fixer,
    pinned: BorrowedFd,
    before: &Stat,
    open: impl Fn() -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let ours = |mode| Stat { user: geteuid().as_raw(), mode, ..*before };
    let entered = before.mode | OWNER_ENTERS;
    let ways = [ours(entered), ours(entered ^ OWNER_WRITES), Stat { mode: before.mode | OTHERS_ENTER, ..*before }];
    for way in ways.iter().filter(|way| !fixer.wanted.change(way).is_nothing()) {
        if become_like(pinned, before, way).is_ok()
            && let Ok(fd) = open()
        {
            return Ok(fd);
        }
        restore(pinned, before);
    }
    Err(Errno::ACCESS)
}

fn become_like(pinned: BorrowedFd, before: &Stat, way: &Stat) -> io::Result<()> {
    if way.user != before.user {
        chownat(pinned, c"", Some(Uid::from_raw(way.user)), None::<Gid>, AtFlags::EMPTY_PATH)?;
    }
    change_mode(pinned, way.mode)
}
