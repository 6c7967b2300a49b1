//! The SELinux label of an entry: whether it is as wanted, and its change.

use lifecycle::Exit;
use rustix::{
    fd::{AsFd, BorrowedFd},
    io::Errno,
};

use super::Fixer;
use crate::{
    capabilities::Action,
    difference::Difference,
    ledger::{Cause, Text},
    refusal::Refusal,
    selinux,
    stat::Stat,
    wanted::Change,
};

impl Fixer<'_> {
    /// Whether labels are wanted, so that every entry must be pinned for a look at its label.
    pub(crate) fn wants_labels(&self) -> bool {
        self.wanted.label.is_some()
    }

    /// Whether an entry has another label than the wanted one. A label that cannot be read is taken
    /// for wrong, because the error is reported when the label is set.
    pub(crate) fn has_wrong_label(&self, entry: impl AsFd) -> bool {
        self.wanted.label.as_ref().is_some_and(|wanted| selinux::read(entry).ok().flatten().as_ref() != Some(wanted))
    }

    /// Whether the label is the wanted one now.
    pub(super) fn set_label(&self, pinned: BorrowedFd, stat: &Stat, path: Text) -> bool {
        let Some(wanted) = &self.wanted.label else { return false };
        match selinux::write(pinned, wanted) {
            Ok(()) if self.has_wrong_label(pinned) => {
                let reason = "the file system accepted the SELinux label and keeps another, or none: mount it with the \
                              option context= and the label, and leave --selinux-label out";
                self.stays_wrong(false, path, Cause::Ignored { action: Action::SetLabel }, &|| reason.into());
                false
            }
            Ok(()) => {
                self.mounts.accepted(stat);
                true
            }
            // The entry is there as long as it is held.
            Err(error @ Errno::NOENT) => {
                let reason = "labels are set through /proc/self/fd, and /proc is not mounted";
                let refusal = Refusal { action: Action::SetLabel, error };
                self.ledger.fail(Exit::Failed, path, Cause::Refused(refusal), &|| reason.into());
                false
            }
            Err(error) => {
                self.refused(Refusal { action: Action::SetLabel, error }, Some(stat), path);
                false
            }
        }
    }

    /// What is wrong with an entry, its label included
    pub(super) fn difference(&self, entry: impl AsFd, stat: &Stat, change: Change) -> Difference {
        let difference = Difference::of(stat, change);
        match self.wanted.label.as_ref().filter(|_| change.label) {
            None => difference,
            Some(wanted) => {
                let now = selinux::read(entry).ok().flatten().map(|label| label.to_string());
                difference.with_label(now, wanted.to_string())
            }
        }
    }
}
