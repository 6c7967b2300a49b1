//! Mounts below the root of a tree that a run leaves out: all of them, or those that are read-only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fd::AsFd,
    fs::{StatVfsMountFlags, fstatvfs},
};

use crate::{
    ledger::{Ledger, Text},
    stat::Stat,
    volume::Volume,
};

/// The mounts of one tree; shared by its threads
pub(crate) struct Mounts<'a> {
    /// The root of the tree, which is never left out; none before it is open, and where PATH is no
    /// directory
    root: Option<Stat>,
    one_file_system: bool,
    skip_read_only: bool,
    /// Whether a mount below the root is read-only: at most as many mounts as `fs.mount-max`
    /// allows, 100,000
    are_read_only: Mutex<BTreeMap<Key, bool>>,
    ledger: &'a Ledger,
}

/// A mount and its device. NFS shows each snapshot as a device of its own.
type Key = (u64, (u32, u32));

impl<'a> Mounts<'a> {
    /// The mounts of a tree that is not open yet.
    pub(crate) fn of(volume: &Volume, ledger: &'a Ledger) -> Self {
        let Volume { one_file_system, skip_read_only, .. } = *volume;
        Self { root: None, one_file_system, skip_read_only, are_read_only: Mutex::default(), ledger }
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
        if self.one_file_system || !self.skip_read_only {
            return self.one_file_system;
        }
        let known = self.lock().get(&key(stat)).copied();
        known.unwrap_or_else(|| self.note(stat, is_read_only(entry), path))
    }

    /// Whether the mount of an entry whose change was refused as read-only (EROFS) is left out from
    /// now on. The mount options do not show that a server keeps a file system read-only.
    pub(crate) fn leave_out_after_refusal(&self, stat: Option<&Stat>, path: Text) -> bool {
        self.skip_read_only && stat.is_some_and(|stat| self.are_below(stat) && self.note(stat, true, path))
    }

    /// Remembers a mount, and counts a read-only one when it is met first.
    fn note(&self, stat: &Stat, is_read_only: bool, path: Text) -> bool {
        let before = self.lock().insert(key(stat), is_read_only);
        if is_read_only && before != Some(true) && Ledger::count(&self.ledger.read_only) {
            tracing::info!(path = path(), "left out: a read-only mount");
        }
        is_read_only
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, bool>> {
        self.are_read_only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(stat: &Stat) -> Key {
    (stat.mount, stat.id.device)
}

/// By the flags of the mount and of its file system. A file system that does not answer is taken
/// for a writable one.
fn is_read_only(entry: impl AsFd) -> bool {
    fstatvfs(entry).is_ok_and(|answer| answer.f_flag.contains(StatVfsMountFlags::RDONLY))
}
