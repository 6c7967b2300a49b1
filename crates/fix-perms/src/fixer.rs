//! One entry: its faults, and the change.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use lifecycle::Exit;
use rustix::{
    fd::{AsFd, BorrowedFd},
    io::Errno,
};

mod default_acl;
mod label;
mod owner_and_mode;

pub(crate) use owner_and_mode::restore;

use crate::{
    capabilities::{Action, Capabilities},
    difference::Difference,
    directory::Directory,
    filesystem::FileSystem,
    id_maps::IdMaps,
    ledger::{Cause, Ledger, Text},
    mounts::Mounts,
    refusal::{Facts, Refusal, explained, is_of_volume},
    report::Report,
    stamp::Stamps,
    stat::Stat,
    trail::cut,
    volume::OnDenied,
    wanted::{Change, Modes, Wanted},
};

/// The treatment of an entry that is wrong
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is changed
    Apply,
    /// Its change is printed and not made
    DryRun,
    /// That it is wrong is a failure
    Verify,
}

/// Sets entries of one tree right; shared by its threads
pub(crate) struct Fixer<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) treatment: Treatment,
    pub(crate) on_denied: OnDenied,
    pub(crate) capabilities: Capabilities,
    pub(crate) mounts: Mounts<'a>,
    /// The one that PATH is on, once PATH was found
    pub(crate) file_system: OnceLock<FileSystem>,
    pub(crate) ledger: &'a Ledger,
    pub(crate) report: &'a Report,
    /// Set once enough is known
    pub(crate) stopped: &'a AtomicBool,
    /// A file system has accepted a change twice and not made it
    pub(crate) ignores_changes: AtomicBool,
    /// Those of the root
    pub(crate) stamps: Stamps,
}

impl Fixer<'_> {
    /// The change that an open or pinned entry needs.
    pub(crate) fn needed(&self, entry: impl AsFd, stat: &Stat) -> Change {
        Change { label: self.has_wrong_label(entry), ..self.wanted.change(stat) }
    }

    /// Sets owner, mode and label of a pinned entry right, if they are wrong. `stat` was asked of
    /// the same descriptor.
    pub(crate) fn set(&self, pinned: BorrowedFd, stat: &Stat, path: Text) {
        self.change(pinned, stat, self.needed(pinned, stat), path);
    }

    /// Makes one change of a pinned entry, or says what it would be.
    pub(crate) fn change(&self, pinned: BorrowedFd, stat: &Stat, change: Change, path: Text) {
        if change.is_nothing() {
            return;
        }
        if self.treatment != Treatment::Apply {
            let change = self.without_refused(stat, change, path);
            if !change.is_nothing() {
                self.differs(path, &|| self.difference(pinned, stat, self.foreseen(stat, change)));
            }
            return;
        }
        if self.make(pinned, stat, change, path) {
            Ledger::count(&self.ledger.changed);
        }
    }

    /// Whether anything is another one now.
    fn make(&self, pinned: BorrowedFd, stat: &Stat, change: Change, path: Text) -> bool {
        self.stamps.end();
        let is_labelled = change.label && self.set_label(pinned, stat, path);
        let is_changed = change.owner_or_mode() && self.set_owner_and_mode(pinned, stat, change, path);
        is_labelled || is_changed
    }

    /// The same for a directory, with its default ACL. It was looked at when it was opened, which
    /// can be long ago.
    pub(crate) fn set_directory(&self, directory: &Directory) {
        let path: Text = &|| directory.about.trail.whole();
        if self.is_right(directory) {
            return;
        }
        let stat = match Stat::open(directory) {
            Ok(stat) => stat,
            Err(error) => return self.refused(Refusal { action: Action::Look, error }, None, path),
        };
        if self.treatment == Treatment::Apply {
            let has_acl = self.set_acl(directory, &stat, path);
            let change = self.needed(directory, &stat);
            if self.make(directory.as_fd(), &stat, change, path) || has_acl {
                Ledger::count(&self.ledger.changed);
            }
            return;
        }
        let lacks_acl = self.missing_acl(directory, &stat).is_some();
        let change = self.without_refused(&stat, self.needed(directory, &stat), path);
        if lacks_acl || !change.is_nothing() {
            self.differs(path, &|| self.difference(directory, &stat, change).with_default_acl(lacks_acl));
        }
    }

    /// Whether nothing about a directory is wrong.
    pub(crate) fn is_right(&self, directory: &Directory) -> bool {
        let stat = &directory.about.stat;
        self.needed(directory, stat).is_nothing() && self.missing_acl(directory, stat).is_none()
    }

    /// The change without owner and mode, where a dry run foresees that the kernel will refuse them. The
    /// refusal is counted and told.
    fn without_refused(&self, stat: &Stat, change: Change, path: Text) -> Change {
        match self.possible_mode(stat, change) {
            Err(refusal) if self.treatment == Treatment::DryRun => {
                self.refused(refusal, Some(stat), path);
                Change { label: change.label, ..Change::default() }
            }
            _ => change,
        }
    }

    /// Notes that an entry is not as it should be, where nothing is to be changed.
    pub(crate) fn differs(&self, path: Text, what: &dyn Fn() -> Difference) {
        let is_told = self.ledger.differs(path, &|| what().to_string());
        if self.treatment == Treatment::DryRun || is_told {
            self.report.difference(&path(), &what());
        } else {
            self.stopped.store(true, Relaxed);
        }
    }

    /// Whether a change or a look that the kernel refused is a failure. An entry that is gone is
    /// none.
    pub(crate) fn refused(&self, refusal: Refusal, stat: Option<&Stat>, path: Text) {
        let Refusal { action, error } = refusal;
        match error {
            Errno::NOENT => {
                Ledger::count(&self.ledger.vanished);
            }
            Errno::ROFS if self.mounts.has_turned(stat) => {
                let reason =
                    "the file system has turned read-only during the run: see the kernel's log for errors of its disk";
                self.ledger.fail(Exit::Io, path, Cause::Refused(refusal), &|| reason.into());
            }
            Errno::ROFS if self.mounts.leave_out_after_refusal(stat, path) => {}
            Errno::PERM | Errno::ACCESS | Errno::ROFS => self.denied(refusal, stat, path),
            Errno::INVAL | Errno::OPNOTSUPP if action == Action::SetLabel => self.denied(refusal, stat, path),
            Errno::INVAL | Errno::OVERFLOW if action == Action::ChangeOwner => self.denied(refusal, stat, path),
            error if is_of_volume(error) => {
                self.ledger.fail(Exit::Io, path, Cause::Refused(refusal), &|| explained(error));
            }
            Errno::OPNOTSUPP if action == Action::SetAcl => {
                let reason = "the file system has no ACLs: leave --default-acl out, or mount it with acl";
                self.ledger.fail(Exit::Failed, path, Cause::Refused(refusal), &|| reason.into());
            }
            error => self.ledger.fail(Exit::Failed, path, Cause::Refused(refusal), &|| explained(error)),
        }
    }

    fn denied(&self, refusal: Refusal, stat: Option<&Stat>, path: Text) {
        let reason: Text = &|| refusal.explain(&self.facts(stat));
        let read_only = matches!(self.wanted.modes, Modes::FsGroup { read_only: true });
        let is_writable = refusal.error != Errno::ROFS || read_only;
        // Modes say nothing of what SELinux allows.
        let is_of_modes = refusal.action != Action::SetLabel;
        let is_accessible = is_writable && is_of_modes && stat.is_some_and(|stat| self.wanted.is_accessible(stat));
        if refusal.action == Action::Look && is_accessible && self.on_denied == OnDenied::Accessible {
            // Nothing below a directory that only its owner can enter was looked at: worth a
            // warning.
            return self.warn(path, Cause::Refused(refusal), reason);
        }
        self.stays_wrong(is_accessible, path, Cause::Refused(refusal), reason);
    }

    /// The facts that explain why a change of an entry was refused.
    pub(crate) fn facts(&self, stat: Option<&Stat>) -> Facts {
        let is_on_own_mount = stat.is_some_and(|stat| !self.mounts.are_below(stat));
        let file_system = self.file_system.get().filter(|_| is_on_own_mount);
        Facts {
            capabilities: self.capabilities,
            file_system: file_system.copied().unwrap_or_default(),
            maps: IdMaps::of_this_process(),
            now: (stat.map(|stat| stat.user), stat.map(|stat| stat.group)),
            wanted: (self.wanted.user, self.wanted.group),
            is_on_own_mount,
        }
    }

    /// An entry that can't be set right: `--on-denied` decides whether that is a failure.
    /// `is_accessible` says whether the wanted owner can read and write it as it is.
    fn stays_wrong(&self, is_accessible: bool, path: Text, cause: Cause, reason: Text) {
        match self.on_denied {
            OnDenied::Accessible if is_accessible => {
                Ledger::count(&self.ledger.tolerated);
            }
            OnDenied::Warn => self.warn(path, cause, reason),
            OnDenied::Fail | OnDenied::Accessible => self.ledger.fail(Exit::Denied, path, cause, reason),
        }
    }

    fn warn(&self, path: Text, cause: Cause, reason: Text) {
        if Ledger::count(&self.ledger.warned) {
            let reason = cause.describe(&reason());
            tracing::warn!(path = cut(&path()), reason, "left as it is");
        }
    }
}
