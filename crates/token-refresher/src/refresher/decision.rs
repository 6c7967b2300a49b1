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
    let is_to_delete = schedule.has_value() && !is_valid && on_expired == OnExpired::Delete;
    // A valid value comes first: an app may wait for it.
    if is_valid && writes.is_due(now) {
        return Decision::Write;
    }
    if is_to_delete && !writes.is_deleted() && writes.is_due(now) {
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
    if is_valid || (is_to_delete && !writes.is_deleted()) {
        next = next.min(writes.due());
    }
    if can_call {
        next = next.min(store.map_or(schedule.next_call(now), |earliest| schedule.next_call(now).max(earliest)));
    }
    if let Some(expires) = schedule.expires().filter(|_| is_valid) {
        next = next.min(expires);
    }
    Decision::Sleep(next.since(now.moment))
}
