//! The results of a tree: counts, and the first failures.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use lifecycle::Exit;
use serde::Serialize;

use crate::{capabilities::Action, refusal::Refusal, trail::cut};

/// Failures are logged one by one up to this number, and then only counted
pub(crate) const TOLD_LIMIT: usize = 10;

/// Exit codes of failures: those that will repeat come before those that may pass.
pub(crate) const GRAVEST_FIRST: [Exit; 3] = [Exit::Denied, Exit::Io, Exit::Failed];

/// A text that is built only when it is written. Not generic, because each of its many callers
/// would be a copy.
pub(crate) type Text<'a> = &'a dyn Fn() -> String;

/// The results of a tree so far; many threads write
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) seen: AtomicU64,
    pub(crate) changed: AtomicU64,
    /// Wrong and left so, since nothing was to be changed
    pub(crate) different: AtomicU64,
    /// Gone before they could be looked at or changed, because another process deletes
    pub(crate) vanished: AtomicU64,
    /// Refused, and good enough as they are, or only warned of
    pub(crate) tolerated: AtomicU64,
    pub(crate) warned: AtomicU64,
    /// Mounts that were left out because they are read-only
    pub(crate) read_only: AtomicU64,
    /// Files that were left alone because they have names outside the tree
    pub(crate) left_alone: AtomicU64,
    /// Nothing below the root was looked at
    pub(crate) is_trusted: AtomicBool,
    /// Labels were wanted, and the kernel has no SELinux
    pub(crate) are_labels_ignored: AtomicBool,
    denied: AtomicU64,
    io: AtomicU64,
    failed: AtomicU64,
    problems: Mutex<Vec<Problem>>,
    difference: OnceLock<Problem>,
}

/// Something that went wrong
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Problem {
    pub(crate) path: String,
    /// The exit code that it leads to; none for a difference
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<u8>,
    /// Why, for programs; none for a difference
    #[serde(flatten)]
    pub(crate) cause: Option<Cause>,
    /// Why, for people
    pub(crate) error: String,
}

/// Why something is wrong
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// The kernel refused it
    Refused(Refusal),
    /// The file system accepted it and did not do it
    Ignored { action: Action },
    /// More files with several names than can be remembered
    TooManyNames,
    /// A file that is changed all the time
    Restless,
    /// A directory that was moved away during the run
    Moved,
    /// A PATH that can't be used at all
    Unusable,
}

/// The counts as they are now
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) seen: u64,
    pub(crate) changed: u64,
    pub(crate) different: u64,
    pub(crate) vanished: u64,
    pub(crate) tolerated: u64,
    pub(crate) warned: u64,
    pub(crate) read_only: u64,
    pub(crate) left_alone: u64,
    pub(crate) failed: u64,
}

impl Cause {
    /// The reason, behind the action that was refused.
    pub(crate) fn describe(self, reason: &str) -> String {
        match self {
            Self::Refused(refusal) => refusal.describe(reason),
            _ => reason.to_owned(),
        }
    }
}

impl Ledger {
    /// Adds one; true while such things are still told one by one.
    pub(crate) fn count(count: &AtomicU64) -> bool {
        count.fetch_add(1, Relaxed) < TOLD_LIMIT as u64
    }

    /// Something went wrong and will be in the exit code
    pub(crate) fn fail(&self, exit: Exit, path: Text, cause: Cause, reason: Text) {
        self.failures(exit).fetch_add(1, Relaxed);
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let code = Some(exit.code());
        // The first problem of each code is always kept, because the last line names it.
        if problems.len() < TOLD_LIMIT || problems.iter().all(|problem| problem.code != code) {
            let problem = Problem { path: path(), code, cause: Some(cause), error: cause.describe(&reason()) };
            tracing::error!(path = cut(&problem.path), error = problem.error, "cannot set right");
            problems.push(problem);
        }
    }

    /// A PATH that can't be one; the end of the run says why, and the report too.
    pub(crate) fn refuse(&self, problem: Problem) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
    }

    /// Something is not as it should be; true while such things are still told one by one.
    pub(crate) fn differs(&self, path: Text, error: Text) -> bool {
        self.difference.get_or_init(|| Problem { path: path(), error: error(), ..Problem::default() });
        Self::count(&self.different)
    }

    /// The first problem that leads to this exit, or else the first difference
    pub(crate) fn first(&self, exit: Exit) -> Option<Problem> {
        let has_code = |problem: &Problem| problem.code == Some(exit.code());
        self.problems().into_iter().find(has_code).or_else(|| self.difference.get().cloned())
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Relaxed);
        Counts {
            seen: of(&self.seen),
            changed: of(&self.changed),
            different: of(&self.different),
            vanished: of(&self.vanished),
            tolerated: of(&self.tolerated),
            warned: of(&self.warned),
            read_only: of(&self.read_only),
            left_alone: of(&self.left_alone),
            failed: of(&self.denied) + of(&self.io) + of(&self.failed),
        }
    }

    /// The tree's exit code
    pub(crate) fn exit(&self) -> Exit {
        let is_there = |exit: &Exit| self.failures(*exit).load(Relaxed) > 0;
        GRAVEST_FIRST.into_iter().find(is_there).unwrap_or(Exit::Done)
    }

    fn failures(&self, exit: Exit) -> &AtomicU64 {
        match exit {
            Exit::Denied => &self.denied,
            Exit::Io => &self.io,
            _ => &self.failed,
        }
    }
}

impl Counts {
    pub(crate) fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, counts| Self {
            seen: sum.seen + counts.seen,
            changed: sum.changed + counts.changed,
            different: sum.different + counts.different,
            vanished: sum.vanished + counts.vanished,
            tolerated: sum.tolerated + counts.tolerated,
            warned: sum.warned + counts.warned,
            read_only: sum.read_only + counts.read_only,
            left_alone: sum.left_alone + counts.left_alone,
            failed: sum.failed + counts.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problems_are_told_and_the_gravest_gives_the_exit() {
        let ledger = Ledger::default();
        assert_eq!(ledger.exit(), Exit::Done);
        for nth in 0..20 {
            ledger.fail(Exit::Io, &|| format!("/data/{nth}"), Cause::Restless, &|| "input/output error".into());
        }
        assert_eq!((ledger.problems().len(), ledger.counts().failed, ledger.exit()), (TOLD_LIMIT, 20, Exit::Io));
        ledger.fail(Exit::Denied, &String::new, Cause::Moved, &String::new);
        assert_eq!(ledger.exit(), Exit::Denied);
    }
}
