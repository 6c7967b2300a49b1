//! One entry: what is wrong with it, and the change.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lifecycle::Exit;
use rustix::{
    fd::AsFd,
    fs::{AtFlags, Gid, Uid, XattrFlags, chownat, fgetxattr, fsetxattr},
    io::Errno,
};

use crate::{
    acl,
    capabilities::{Action, Capabilities, words},
    directory::Directory,
    fchmodat2::change_mode,
    ledger::Ledger,
    report::Report,
    stat::{Kind, Stat},
    volume::OnDenied,
    wanted::{Change, Modes, SET_GROUP_ID, Wanted},
};

/// Bytes of an ACL that can be equal to a wanted one; a longer one differs
const ACL_LIMIT: usize = 4096;

/// What is done about an entry that is wrong
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is changed
    Apply,
    /// What would be changed is printed
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
    pub(crate) ledger: &'a Ledger,
    pub(crate) report: &'a Report,
    /// Set once enough is known
    pub(crate) stopped: &'a AtomicBool,
}

/// An action and why the kernel refused it
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) action: Action,
    pub(crate) error: Errno,
}

impl Fixer<'_> {
    /// Sets owner and mode of a pinned entry right, if they are wrong. `stat` was asked of the same descriptor.
    pub(crate) fn set(&self, pinned: impl AsFd, stat: &Stat, path: impl Fn() -> String) {
        self.change(pinned, stat, self.wanted.change(stat), path);
    }

    /// Makes one change of a pinned entry, or says what it would be.
    pub(crate) fn change(&self, pinned: impl AsFd, stat: &Stat, change: Change, path: impl Fn() -> String) {
        if change.is_nothing() {
            return;
        }
        if self.treatment != Treatment::Apply {
            return self.differs(path, || change.describe(stat));
        }
        match self.apply(pinned, stat, change) {
            Ok(()) => {
                Ledger::count(&self.ledger.changed);
            }
            Err(refusal) => self.refused(refusal, Some(stat), path),
        }
    }

    /// The same for a directory, with its default ACL.
    pub(crate) fn set_directory(&self, directory: &Directory) {
        let about = &directory.about;
        let path = || about.trail.printed();
        if let Some(wanted) = self.wanted.acl_attribute(&about.stat) {
            self.set_acl(directory, &wanted, path);
        }
        self.set(directory, &about.stat, path);
    }

    /// Whether nothing about a directory is wrong.
    pub(crate) fn is_right(&self, directory: &Directory) -> bool {
        let stat = &directory.about.stat;
        self.wanted.change(stat).is_nothing()
            && self.wanted.acl_attribute(stat).is_none_or(|wanted| has_acl(directory, &wanted) == Ok(true))
    }

    fn set_acl(&self, directory: &Directory, wanted: &[u8], path: impl Fn() -> String) {
        let refused =
            |error| self.refused(Refusal { action: Action::SetAcl, error }, Some(&directory.about.stat), &path);
        match has_acl(directory, wanted) {
            Ok(true) => {}
            Ok(false) if self.treatment != Treatment::Apply => self.differs(path, || "another default ACL".into()),
            Ok(false) => match fsetxattr(directory, acl::ATTRIBUTE, wanted, XattrFlags::empty()) {
                Ok(()) => {
                    Ledger::count(&self.ledger.changed);
                }
                Err(error) => refused(error),
            },
            Err(error) => refused(error),
        }
    }

    /// Owner first, since that takes set-ID bits away.
    fn apply(&self, pinned: impl AsFd, stat: &Stat, change: Change) -> Result<(), Refusal> {
        let refusal = |action| move |error| Refusal { action, error };
        let mut mode = change.mode;
        if change.owner() {
            let (user, group) = (change.user.map(Uid::from_raw), change.group.map(Gid::from_raw));
            chownat(&pinned, c"", user, group, AtFlags::EMPTY_PATH).map_err(refusal(Action::ChangeOwner))?;
            if stat.mode & 0o6000 != 0 && !stat.is_directory() && stat.kind != Kind::Link {
                // What is left of them is for the kernel to say.
                let left = Stat::open(&pinned).map_err(refusal(Action::Look))?;
                mode = self.wanted.mode(stat, left.mode);
            }
        }
        let Some(mode) = mode else { return Ok(()) };
        change_mode(&pinned, mode).map_err(refusal(Action::ChangeMode))?;
        // Without the capability, chmod(2) drops this bit and says nothing.
        if mode & SET_GROUP_ID != 0 && self.capabilities.missing_for(Action::SetGroupId).is_some() {
            let now = Stat::open(&pinned).map_err(refusal(Action::Look))?;
            if now.mode & SET_GROUP_ID == 0 {
                return Err(Refusal { action: Action::SetGroupId, error: Errno::PERM });
            }
        }
        Ok(())
    }

    /// Notes that an entry is not as it should be, where nothing is to be changed.
    pub(crate) fn differs(&self, path: impl Fn() -> String, what: impl Fn() -> String) {
        let is_told = self.ledger.differs(&path, &what);
        if self.treatment == Treatment::DryRun || is_told {
            self.report.difference(&path(), &what());
        } else {
            self.stopped.store(true, Relaxed);
        }
    }

    /// Whether a change or a look that the kernel refused is a failure. What is gone needs neither.
    pub(crate) fn refused(&self, refusal: Refusal, stat: Option<&Stat>, path: impl Fn() -> String) {
        let Refusal { action, error } = refusal;
        match error {
            Errno::NOENT | Errno::STALE => {
                Ledger::count(&self.ledger.vanished);
            }
            Errno::PERM | Errno::ACCESS | Errno::ROFS => self.denied(refusal, stat, path),
            Errno::IO | Errno::DQUOT | Errno::NOSPC | Errno::UCLEAN | Errno::BADMSG | Errno::NXIO | Errno::NODEV => {
                self.ledger.fail(Exit::Io, path, || refusal.describe(&words(error)));
            }
            Errno::OPNOTSUPP if action == Action::SetAcl => {
                let reason = "the file system has no ACLs: leave --default-acl out, or mount it with acl";
                self.ledger.fail(Exit::Failed, path, || refusal.describe(reason));
            }
            Errno::MFILE | Errno::NFILE => {
                let reason = "too many open files: raise the limit, or lower --threads";
                self.ledger.fail(Exit::Failed, path, || refusal.describe(reason));
            }
            error => self.ledger.fail(Exit::Failed, path, || refusal.describe(&words(error))),
        }
    }

    fn denied(&self, refusal: Refusal, stat: Option<&Stat>, path: impl Fn() -> String) {
        let reason = || refusal.describe(&self.capabilities.explain(refusal.action, refusal.error));
        let read_only = matches!(self.wanted.modes, Modes::FsGroup { read_only: true });
        let good_enough = || {
            let writable = refusal.error != Errno::ROFS || read_only;
            writable && stat.is_some_and(|stat| self.wanted.is_accessible(stat))
        };
        match self.on_denied {
            OnDenied::Accessible if good_enough() => {
                Ledger::count(&self.ledger.tolerated);
            }
            OnDenied::Warn => {
                if Ledger::count(&self.ledger.warned) {
                    tracing::warn!(path = path(), reason = reason(), "left as it is");
                }
            }
            OnDenied::Fail | OnDenied::Accessible => self.ledger.fail(Exit::Denied, path, reason),
        }
    }
}

impl Refusal {
    fn describe(self, reason: &str) -> String {
        let what = match self.action {
            Action::ChangeOwner => "cannot change the owner",
            Action::ChangeMode => "cannot change the mode",
            Action::SetGroupId => "cannot set the set-group-ID bit",
            Action::SetAcl => "cannot set the default ACL",
            Action::Look => "cannot look at it",
            Action::Create => "cannot make the directory",
            Action::Stamp => "cannot set the stamp",
        };
        format!("{what}: {reason}")
    }
}

fn has_acl(directory: &Directory, wanted: &[u8]) -> rustix::io::Result<bool> {
    let mut bytes = [0; ACL_LIMIT];
    match fgetxattr(directory, acl::ATTRIBUTE, &mut bytes) {
        Ok(length) => Ok(bytes[..length] == *wanted),
        Err(Errno::NODATA | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}
