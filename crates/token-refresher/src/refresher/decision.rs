//! What is done next about one secret: pure.

use std::time::Duration;

use crate::{
    schedule::clock::{Moment, Now},
    schedule::write_state::WriteState,
    schedule::{Ask, Schedule},
    secret_entry::OnExpired,
};

/// Both clocks are compared this often at least, because timers stop while the machine is suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The next step
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Call the source.
    Call(Ask),
    /// Write the files, or see that they are as they were written.
    Write,
    /// Remove the files.
    Delete,
    /// Look again after this time at the latest.
    Sleep(Duration),
}

/// Decides by the times of a secret. Without `can_call` another secret, on which it builds, is missing. A server that does not
/// answer has an earliest moment of the next call.
pub(crate) fn decide(
    schedule: &Schedule,
    writes: &WriteState,
    on_expired: OnExpired,
    can_call: bool,
    store: Option<Moment>,
    now: &Now,
) -> Decision {
    let is_valid = schedule.is_valid(now);
    let removal = removal(schedule, writes, on_expired);
    let is_over = on_expired == OnExpired::Delete && schedule.removal().is_some_and(|removal| now.moment >= removal);
    let is_to_write = is_valid && !is_over;
    // A valid value comes first: an app may wait for it.
    if is_to_write && writes.is_due(now) {
        return Decision::Write;
    }
    if removal.is_some_and(|removal| now.moment >= removal) {
        return Decision::Delete;
    }
    let has_turn = store.is_none_or(|earliest| now.moment >= earliest);
    if can_call
        && has_turn
        && let Some(ask) = schedule.due_call(now)
    {
        return Decision::Call(ask);
    }
    let mut next = now.moment.plus(LONGEST_SLEEP);
    if is_to_write {
        next = next.min(writes.due());
    }
    if let Some(removal) = removal {
        next = next.min(removal);
    }
    if can_call {
        next = next.min(store.map_or(schedule.next_call(now), |earliest| schedule.next_call(now).max(earliest)));
    }
    if let Some(expires) = schedule.expires().filter(|_| is_valid) {
        next = next.min(expires);
    }
    Decision::Sleep(next.since(now.moment))
}

/// When the files are removed, or their removal is tried again; `None` where they stay or are gone.
pub(crate) fn removal(schedule: &Schedule, writes: &WriteState, on_expired: OnExpired) -> Option<Moment> {
    let removal = schedule.removal().filter(|_| on_expired == OnExpired::Delete && !writes.is_deleted())?;
    // Files that were written are removed at that moment, whenever they were to be looked at again.
    Some(if writes.is_written() { removal } else { removal.max(writes.due()) })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::schedule::{Rules, Setback, Term};

    fn at(seconds: u64) -> Now {
        Now { moment: Moment::since_boot(Duration::from_secs(1000 + seconds)), wall: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn files_are_removed_once_before_their_value_expires() {
        let mut schedule = Schedule::new(Rules::default(), &at(0));
        schedule.begin(&at(0));
        let term = Term { asked: at(0), life: Some(Duration::from_secs(100)), is_renewable: false };
        schedule.succeed(Ask::Fetch, &term, 0.0);
        let mut writes = WriteState::new(&at(0));
        writes.written(schedule.expires(), &at(60));
        // The next call is due after the expiry.
        schedule.begin(&at(90));
        schedule.fail(Ask::Fetch, Setback::Unavailable(Some(Duration::from_secs(200))), &at(90), 0.0);
        let next =
            |writes: &WriteState, on_expired, seconds| decide(&schedule, writes, on_expired, true, None, &at(seconds));
        assert_eq!(next(&writes, OnExpired::Delete, 91), Decision::Sleep(Duration::from_secs(4)));
        assert_eq!(next(&writes, OnExpired::Delete, 95), Decision::Delete);
        assert_eq!(next(&writes, OnExpired::Keep, 95), Decision::Sleep(Duration::from_secs(5)));
        writes.failed(&at(95));
        assert_eq!(next(&writes, OnExpired::Delete, 96), Decision::Sleep(Duration::from_secs(4)), "it is tried again");
        assert_eq!(next(&writes, OnExpired::Delete, 100), Decision::Delete);
        writes.deleted(&at(96));
        assert_eq!(next(&writes, OnExpired::Delete, 97), Decision::Sleep(Duration::from_secs(3)));
        assert_eq!(next(&writes, OnExpired::Delete, 100), Decision::Sleep(LONGEST_SLEEP));
    }
}
