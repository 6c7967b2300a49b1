//! Mounts below the root of a tree that a run leaves out: all of them, or those that are read-only.

mod table;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use rustix::{
    fd::AsFd,
    fs::{StatVfsMountFlags, fstatvfs},
};

pub(crate) use self::table::{Place, below};
use self::table::{has_mounts, is_read_only_by_table};
use crate::{
    ledger::{Ledger, Text},
    stat::Stat,
    trail::cut,
    volume::Volume,
};

/// The mounts of one tree; shared by its threads
pub(crate) struct Mounts<'a> {
    /// The root of the tree, which is never left out; none before it is open, and where PATH is no
    /// directory
    root: Option<Stat>,
    one_file_system: bool,
    skip_read_only: bool,
    /// The mounts below the root that were met, and their file systems
    known: Mutex<BTreeMap<Key, State>>,
    /// A mount was left out whose flags do not show that it is read-only
    has_hidden: AtomicBool,
    /// The mount of the root has accepted a change
    is_root_written: AtomicBool,
    /// Read-only mounts on which something is mounted
    mounted_on: AtomicU64,
    ledger: &'a Ledger,
}

/// The state of a mount below the root
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is left out
    ReadOnly,
    /// By its flags
    Writable,
    /// It has accepted a change
    Written,
}

/// A mount and its device. NFS shows each snapshot as a device of its own.
type Key = (u64, (u32, u32));

impl<'a> Mounts<'a> {
    /// The mounts of a tree that is not open yet.
    pub(crate) fn of(volume: &Volume, ledger: &'a Ledger) -> Self {
        let Volume { one_file_system, skip_read_only, .. } = *volume;
        Self {
            root: None,
            one_file_system,
            skip_read_only,
            known: Mutex::default(),
            has_hidden: AtomicBool::default(),
            is_root_written: AtomicBool::default(),
            mounted_on: AtomicU64::default(),
            ledger,
        }
    }

    /// The same below this root.
    pub(crate) fn below(self, root: &Stat) -> Self {
        Self { root: Some(*root), ..self }
    }

    /// Whether an entry is on a mount below the root.
    pub(crate) fn are_below(&self, stat: &Stat) -> bool {
        self.root.is_some_and(|root| stat.is_elsewhere(&root))
    }

    /// Whether an open or pinned entry is on a mount that is left out.
    pub(crate) fn leave_out(&self, entry: impl AsFd, stat: &Stat, path: Text) -> bool {
        if !self.are_below(stat) {
            return false;
        }
        if self.one_file_system {
            return true;
        }
        if !self.skip_read_only {
            return false;
        }
        if let Some(known) = self.lock().get(&key(stat)) {
            return *known == State::ReadOnly;
        }
        if is_read_only(entry) {
            self.note_read_only(stat, path);
            return true;
        }
        // Another thread may have written to it by now.
        self.lock().entry(key(stat)).or_insert(State::Writable);
        false
    }

    /// Notes that the mount of an entry has accepted a change.
    pub(crate) fn accepted(&self, stat: &Stat) {
        if self.are_below(stat) {
            self.lock().insert(key(stat), State::Written);
        } else {
            self.is_root_written.store(true, Relaxed);
        }
    }

    /// Whether the mount of an entry whose change was refused as read-only (EROFS) has accepted a
    /// change before: its disk fails, or another process has remounted it. Some file systems
    /// refuse single entries so, and are writable as a whole.
    pub(crate) fn has_turned(&self, stat: Option<&Stat>) -> bool {
        let Some(stat) = stat else { return false };
        let is_below = self.are_below(stat);
        let was_written = if is_below {
            self.lock().get(&key(stat)) == Some(&State::Written)
        } else {
            self.is_root_written.load(Relaxed)
        };
        was_written && (is_below && self.skip_read_only || is_read_only_by_table(stat.mount))
    }

    /// Whether the mount of an entry whose change was refused as read-only (EROFS) is left out from
    /// now on. The mount options do not show that a server keeps a file system read-only.
    pub(crate) fn leave_out_after_refusal(&self, stat: Option<&Stat>, path: Text) -> bool {
        let Some(stat) = stat.filter(|stat| self.skip_read_only && self.are_below(stat)) else { return false };
        self.has_hidden.store(true, Relaxed);
        self.note_read_only(stat, path);
        true
    }

    /// Whether a mount was left out that the table does not show as read-only.
    pub(crate) fn has_hidden(&self) -> bool {
        self.has_hidden.load(Relaxed)
    }

    /// Remembers a read-only mount, and counts it when it is met first.
    fn note_read_only(&self, stat: &Stat, path: Text) {
        let mut known = self.lock();
        // One mount can show several file systems.
        let of_mount = (stat.mount, (0, 0))..=(stat.mount, (u32::MAX, u32::MAX));
        let is_new = stat.mount == 0 || known.range(of_mount).all(|(_, state)| *state != State::ReadOnly);
        let before = known.insert(key(stat), State::ReadOnly);
        drop(known);
        if before == Some(State::ReadOnly) || !is_new {
            return;
        }
        if Ledger::count(&self.ledger.read_only) {
            tracing::info!(path = cut(&path()), "left out: a read-only mount");
        }
        if has_mounts(stat.mount) && Ledger::count(&self.mounted_on) {
            let remedy = "give each of them as a PATH of its own";
            tracing::warn!(path = cut(&path()), remedy, "left out with it: what is mounted below the read-only mount");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, State>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(stat: &Stat) -> Key {
    (stat.mount, stat.file_system)
}

/// By the flags of the mount and of its file system. A file system that does not answer is taken
/// for a writable one.
pub(crate) fn is_read_only(entry: impl AsFd) -> bool {
    fstatvfs(entry).is_ok_and(|answer| answer.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::{Id, Kind};

    fn on(mount: u64, device: u32) -> Stat {
        let id = Id { device: (0, device), inode: 1 };
        Stat {
            kind: Kind::Regular,
            mode: 0,
            user: 0,
            group: 0,
            links: 1,
            id,
            mount,
            file_system: (0, device),
            changed: None,
        }
    }

    #[test]
    fn a_mount_that_has_accepted_a_change_is_not_left_out_when_it_refuses_the_next() {
        let ledger = Ledger::default();
        let mounts = Mounts {
            root: Some(on(1, 1)),
            one_file_system: false,
            skip_read_only: true,
            known: Mutex::default(),
            has_hidden: AtomicBool::default(),
            is_root_written: AtomicBool::default(),
            mounted_on: AtomicU64::default(),
            ledger: &ledger,
        };
        let (written, other) = (on(2, 2), on(3, 3));
        mounts.accepted(&written);
        assert!(mounts.has_turned(Some(&written)) && !mounts.has_turned(Some(&other)) && !mounts.has_turned(None));
        assert!(mounts.leave_out_after_refusal(Some(&other), &String::new) && mounts.has_hidden());
        assert!(!mounts.leave_out_after_refusal(Some(&on(1, 1)), &String::new));
        // A writable mount refuses single entries at most.
        mounts.accepted(&on(1, 1));
        assert!(!mounts.has_turned(Some(&on(1, 1))));
        // One mount with several devices counts once.
        assert!(mounts.leave_out_after_refusal(Some(&on(3, 4)), &String::new));
        assert_eq!(ledger.counts().read_only, 1);
    }
}
