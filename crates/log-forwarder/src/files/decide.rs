//! The fate of a file: pure, of the file, of what was observed, and of the policy.

use std::time::{Duration, Instant};

use super::{
    fate::Fate,
    known::{FileState, Key, KnownFile},
    loss::LossReason,
    observe::Observation,
    set::FileSet,
    trust::{OUT_OF_DATE, Trust},
};
use crate::content::copies::Copy;

/// A rotated file that is settled stays open for this long, because its writer may be slow to take the new one.
const KEPT_OPEN: Duration = Duration::from_secs(60);

/// The settings that decide, and whether a stop was asked for
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    /// Bytes of deleted files that may be held open
    pub(crate) max_pinned: u64,
    /// A file that has not grown for this long is quiet.
    pub(crate) quiet_period: Duration,
    /// A file that has not grown for this long, and of which everything is delivered, is closed until it grows.
    pub(crate) close_inactive: Option<Duration>,
    /// When the stop signal came
    pub(crate) stopping: Option<Instant>,
}

/// Where the content of a file was found that is not in its file any more
#[derive(Debug)]
pub(crate) enum Trace {
    Copy(Box<Copy>),
    /// Compressed files may hold it: that takes longer to find out.
    Packed,
    Nowhere,
}

/// Whether a decision needs to know where the content of the file is now.
pub(crate) fn needs_trace(file: &KnownFile, observation: &Observation) -> bool {
    match observation {
        // It is not read.
        _ if file.state == FileState::Aside => false,
        // Also when all is settled: the copy may have more, and must not be taken for a file that was never read.
        // Of one that is inconsistent, the descriptor may show another file, to which its name has gone.
        Observation::Replaced | Observation::Truncated | Observation::Inconsistent => true,
        // A file that was read may have been compressed since, and the compressed one must not be read again.
        Observation::Deleted => !file.is_open() && (!file.is_all_settled() || file.source.treatment.reads_compressed),
        _ => false,
    }
}

/// The fate of a file after an observation. `reason` names the loss if its content is nowhere.
pub(crate) fn decide(
    file: &KnownFile,
    observation: &Observation,
    trace: Option<Trace>,
    reason: LossReason,
    policy: &Policy,
    now: Instant,
) -> Fate {
    match observation {
        Observation::Grew(growth) | Observation::Rewritten(growth) => Fate::Grow(*growth),
        Observation::Renamed(state) => Fate::SetState(*state),
        Observation::Deleted if file.is_open() => Fate::SetState(FileState::Deleted),
        Observation::Inconsistent => match trace {
            Some(Trace::Copy(copy)) => Fate::ContinueInCopy(copy),
            // That is found out of the path of an input, by a scan.
            _ => Fate::ReadOut { is_displaced: file.state != FileState::Live || file.trust == Trust::None },
        },
        Observation::Astray => Fate::Detach,
        Observation::Unsteady => Fate::Mistrust,
        Observation::Deleted | Observation::Replaced | Observation::Truncated => match trace {
            None => by_absence(file, now),
            Some(Trace::Copy(copy)) => Fate::ContinueInCopy(copy),
            Some(Trace::Packed) => Fate::SearchPacked(reason),
            // Its new name may not be known yet, because a mount keeps what it knows for a while.
            Some(Trace::Nowhere) if file.trust != Trust::Full => Fate::SearchPacked(reason),
            Some(Trace::Nowhere) => Fate::Lose(reason),
        },
        Observation::Unreadable(_) => Fate::KeepReading,
        Observation::Same => by_time(file, policy, now),
    }
}

/// The fate of a file that nothing has the inode of, and of which every output has all
fn by_absence(file: &KnownFile, now: Instant) -> Fate {
    match file.state {
        FileState::Missing if !file.is_still(None, OUT_OF_DATE, now) => Fate::KeepReading,
        // A mount may keep an old name for a while, and a directory that is read while its files are
        // renamed may show neither name of one (readdir(3)).
        FileState::Live | FileState::Rotated => Fate::AwaitName,
        _ => Fate::Forget,
    }
}

/// The fate of a file about which nothing is new but the time
fn by_time(file: &KnownFile, policy: &Policy, now: Instant) -> Fate {
    let is_live = file.state == FileState::Live;
    let is_there = file.is_open() || file.is_parked();
    let may_end = is_there && (!is_live || policy.stopping.is_some());
    let since = policy.stopping.filter(|_| is_live);
    if may_end && !file.ended && file.is_still(since, policy.quiet_period, now) {
        return Fate::End;
    }
    let joins = file.source.treatment.format.joins_lines();
    if is_there && joins && !file.is_quiet && file.is_still(None, policy.quiet_period, now) {
        return Fate::FinishRecord;
    }
    let is_inactive = policy.close_inactive.is_some_and(|period| file.is_still(None, period, now));
    if is_live
        && is_inactive
        && file.is_open()
        && !file.is_packed()
        && file.trust != Trust::None
        && file.is_all_settled()
    {
        return Fate::Park;
    }
    let is_done = match file.state {
        FileState::Lost => true,
        _ => is_there && file.ended && (file.is_packed() || file.is_still(None, KEPT_OPEN, now)),
    };
    match file.state {
        _ if !is_done || !file.is_all_settled() => Fate::KeepReading,
        FileState::Deleted | FileState::Lost => Fate::Forget,
        _ if file.trust == Trust::None => Fate::Forget,
        // A compressed file is known again by its inode, size and time.
        _ if file.is_packed() => Fate::Close,
        FileState::Rotated => Fate::Close,
        FileState::Live
        | FileState::Aside
        | FileState::Missing
        | FileState::Sought(_)
        | FileState::Unmeasured { .. } => Fate::KeepReading,
    }
}

/// The oldest of the deleted files, which are given up until the others fit into `--max-pinned`
pub(crate) fn over_max_pinned(set: &FileSet, policy: &Policy) -> Vec<Key> {
    let mut pinned = set.pinned();
    if pinned <= policy.max_pinned {
        return Vec::new();
    }
    let is_pinned = |file: &KnownFile| file.state == FileState::Deleted && file.is_open();
    let oldest_first = set.iter().filter(|(_, file)| is_pinned(file));
    let given_up = oldest_first.take_while(|(_, file)| {
        let is_over = pinned > policy.max_pinned;
        pinned = pinned.saturating_sub(file.size());
        is_over
    });
    given_up.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests;
