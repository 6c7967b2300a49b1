//! Owner and mode of an entry: their change, and the way back.

use std::sync::atomic::Ordering::Relaxed;

use lifecycle::Exit;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{AtFlags, Gid, Uid, chownat},
    io::{self, Errno},
    process::getegid,
};

use super::{Fixer, Treatment};
use crate::{
    capabilities::{Action, Capabilities},
    fchmodat2::change_mode,
    ignored::Ignored,
    ledger::{Cause, Text},
    refusal::Refusal,
    stat::{Kind, Stat},
    wanted::{Change, SET_GROUP_ID, SET_USER_ID, left_by_chown},
};

impl Fixer<'_> {
    /// Whether the owner or the mode is another one now.
    pub(super) fn set_owner_and_mode(&self, pinned: BorrowedFd, stat: &Stat, change: Change, path: Text) -> bool {
        let owner_and_mode = |stat: &Stat| (stat.user, stat.group, stat.mode);
        let has_changed = |now: &Stat| owner_and_mode(now) != owner_and_mode(stat);
        match self.apply(pinned, stat, change) {
            // Some file systems accept a change and do nothing.
            Ok(()) => match Stat::open(pinned).and_then(|now| self.once_more(pinned, now)) {
                Ok(now) => {
                    self.mounts.accepted(stat);
                    if let Some(ignored) = Ignored::find(self.wanted, &now) {
                        let cause = Cause::Ignored { action: ignored.action() };
                        self.stays_wrong(self.wanted.is_accessible(&now), path, cause, &|| ignored.describe());
                    }
                    has_changed(&now)
                }
                Err(error) => {
                    self.refused(Refusal { action: Action::Look, error }, None, path);
                    false
                }
            },
            Err(refusal) => {
                if refusal.error == Errno::NOENT && Stat::open(pinned).is_ok_and(|now| now.links > 0) {
                    let reason = "the file system does not find an entry that it has: see the log of its server";
                    self.ledger.fail(Exit::Failed, path, Cause::Refused(refusal), &|| reason.into());
                } else {
                    self.refused(refusal, Some(stat), path);
                }
                // An owner that was changed is a change, even if the mode was then refused.
                refusal.action != Action::ChangeOwner
                    && change.owner()
                    && Stat::open(pinned).is_ok_and(|now| has_changed(&now))
            }
        }
    }

    /// Changes an entry again that is not as wanted right after its change, because another process
    /// may have changed it in between; not where the file system has ignored a change twice. Gives
    /// the entry as it is now.
    fn once_more(&self, pinned: BorrowedFd, now: Stat) -> io::Result<Stat> {
        let is_right = |stat: &Stat| Ignored::find(self.wanted, stat).is_none();
        let left = self.wanted.change(&now);
        if is_right(&now) || self.ignores_changes.load(Relaxed) || self.apply(pinned, &now, left).is_err() {
            return Ok(now);
        }
        let now = Stat::open(pinned)?;
        self.ignores_changes.fetch_or(!is_right(&now), Relaxed);
        Ok(now)
    }

    /// A change with the bits that the kernel will take with it, where it is only printed.
    pub(super) fn foreseen(&self, stat: &Stat, change: Change) -> Change {
        if self.treatment != Treatment::DryRun {
            return change;
        }
        let (left, mode) = self.foretold(stat, change);
        let mode = mode.unwrap_or(left);
        Change { mode: (mode != stat.mode).then_some(mode), ..change }
    }

    /// The mode that the kernel will leave when the owner has changed, and the one to be set then.
    fn foretold(&self, stat: &Stat, change: Change) -> (u16, Option<u16>) {
        if !change.owner() || stat.is_directory() || stat.kind == Kind::Link {
            return (stat.mode, change.mode);
        }
        let mut left = left_by_chown(stat);
        // With a set-user-ID bit, the kernel looks at the new group too.
        let loses = |group| self.capabilities.lose_group_id_of(group);
        let loses_new = stat.mode & SET_USER_ID != 0 && change.group.is_some_and(loses);
        if loses(stat.group) || loses_new {
            left &= !SET_GROUP_ID;
        }
        (left, self.wanted.mode(stat, left))
    }

    /// Owner first, since that takes set-ID bits away. Nothing is changed where such a bit would be
    /// lost for want of a capability.
    fn apply(&self, pinned: BorrowedFd, stat: &Stat, change: Change) -> Result<(), Refusal> {
        let refusal = |action| move |error| Refusal { action, error };
        let (group, (_, mut mode)) = (change.group.unwrap_or(stat.group), self.foretold(stat, change));
        let sets_group_id = mode.is_some_and(|mode| mode & SET_GROUP_ID != 0);
        let needs_our_group = sets_group_id && self.capabilities.lose_group_id_of(group);
        if needs_our_group && !(stat.is_directory() && self.capabilities.may_own()) {
            return Err(Refusal { action: Action::SetGroupId, error: Errno::PERM });
        }
        if change.owner() {
            let (user, group) = (change.user.map(Uid::from_raw), change.group.map(Gid::from_raw));
            let chown = || chownat(pinned, c"", user, group, AtFlags::EMPTY_PATH);
            io::retry_on_intr(chown).map_err(refusal(Action::ChangeOwner))?;
            if stat.mode & 0o6000 != 0 && !stat.is_directory() && stat.kind != Kind::Link {
                // The kernel decides which of them remain.
                let left = Stat::open(pinned).map_err(refusal(Action::Look))?;
                mode = self.wanted.mode(stat, left.mode);
            }
        }
        let Some(mode) = mode else { return Ok(()) };
        let changed =
            if needs_our_group { change_mode_in_our_group(pinned, mode, group) } else { change_mode(pinned, mode) };
        changed.map_err(refusal(Action::ChangeMode))
    }
}

/// Gives a directory a mode while its group is one of this process, because chmod(2) drops the
/// set-group-ID bit of other groups without `CAP_FSETID`. The way back is sure with `CAP_CHOWN`
/// alone, and chown(2) leaves the bits of a directory.
fn change_mode_in_our_group(directory: BorrowedFd, mode: u16, group: u32) -> io::Result<()> {
    let own = |group| chownat(directory, c"", None, Some(group), AtFlags::EMPTY_PATH);
    own(getegid())?;
    let changed = change_mode(directory, mode);
    own(Gid::from_raw(group)).and(changed)
}

/// Gives a directory the mode and owner back that it had, as far as that is allowed.
pub(crate) fn restore(directory: impl AsFd, before: &Stat) {
    let directory = directory.as_fd();
    let Ok(now) = Stat::open(directory) else { return };
    // Not without need, because chmod(2) can take a set-group-ID bit away.
    if now.mode != before.mode {
        let needs_our_group = before.mode & SET_GROUP_ID != 0 && Capabilities::of_this_process().may_own();
        let _ = if needs_our_group {
            change_mode_in_our_group(directory, before.mode, now.group)
        } else {
            change_mode(directory, before.mode)
        };
    }
    let (user, group) = (Uid::from_raw(before.user), Gid::from_raw(before.group));
    let _ = chownat(directory, c"", Some(user), Some(group), AtFlags::EMPTY_PATH);
}
