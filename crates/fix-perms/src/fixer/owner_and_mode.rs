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
        match self.apply(pinned, stat, change).and_then(|()| self.once_more(pinned)) {
            Ok(now) => {
                self.mounts.accepted(stat);
                // Some file systems accept a change and do nothing.
                if let Some(ignored) = Ignored::find(self.wanted, &now) {
                    let cause = Cause::Ignored { action: ignored.action() };
                    self.stays_wrong(self.wanted.is_accessible(&now), path, cause, &|| ignored.describe());
                }
                has_changed(&now)
            }
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
    fn once_more(&self, pinned: BorrowedFd) -> Result<Stat, Refusal> {
        let look = || Stat::open(pinned).map_err(|error| Refusal { action: Action::Look, error });
        let now = look()?;
        let left = self.wanted.change(&now);
        if left.is_nothing() || self.ignores_changes.load(Relaxed) {
            return Ok(now);
        }
        self.apply(pinned, &now, left)?;
        let now = look()?;
        self.ignores_changes.fetch_or(!self.wanted.change(&now).is_nothing(), Relaxed);
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

    /// The mode to be set after the owner has changed; a refusal where the kernel would drop its
    /// set-group-ID bit for want of a capability.
    pub(super) fn possible_mode(&self, stat: &Stat, change: Change) -> Result<Option<u16>, Refusal> {
        let group = change.group.unwrap_or(stat.group);
        let (_, mode) = self.foretold(stat, change);
        match mode {
            Some(mode) if self.capabilities.lose_bit_of(group, mode) => {
                Err(Refusal { action: Action::SetGroupId, error: Errno::PERM })
            }
            mode => Ok(mode),
        }
    }

    /// Owner first, since that takes set-ID bits away. Nothing is changed where that or the new mode
    /// would be refused.
    fn apply(&self, pinned: BorrowedFd, stat: &Stat, change: Change) -> Result<(), Refusal> {
        let refusal = |action| move |error| Refusal { action, error };
        let mut mode = self.possible_mode(stat, change)?;
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
        change_mode(pinned, mode).map_err(refusal(Action::ChangeMode))
    }
}

/// Gives a directory the mode and owner back that it had, as far as that is allowed.
pub(crate) fn restore(directory: impl AsFd, before: &Stat) {
    let directory = directory.as_fd();
    let Ok(now) = Stat::open(directory) else { return };
    // Not without need, because chmod(2) can take a set-group-ID bit away: not from a group of ours,
    // which is borrowed only where the way back is sure.
    let mut group = now.group;
    if now.mode != before.mode {
        let capabilities = Capabilities::of_this_process();
        let is_lent = capabilities.lose_bit_of(now.group, before.mode) && capabilities.may_lend(before.group);
        if is_lent && chownat(directory, c"", None, Some(getegid()), AtFlags::EMPTY_PATH).is_ok() {
            group = getegid().as_raw();
        }
        let _ = change_mode(directory, before.mode);
    }
    // Only what is another one: the number of a group that a user namespace lacks is not its own.
    let user = (now.user != before.user).then(|| Uid::from_raw(before.user));
    let group = (group != before.group).then(|| Gid::from_raw(before.group));
    let _ = chownat(directory, c"", user, group, AtFlags::EMPTY_PATH);
}
