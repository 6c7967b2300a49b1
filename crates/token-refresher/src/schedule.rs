//! When a source is called: pure, from the times of one secret, the clock and a random number.
//!
//! While a value is valid, the rest of its life is the budget for retries. Once it has expired, the source is called every
//! five seconds, so that a store that is down sees at most twelve calls a minute and the value is back soon after the store.

pub(crate) mod clock;
pub(crate) mod secret_state;
pub(crate) mod write_state;

use std::time::{Duration, SystemTime};

use crate::schedule::clock::{Moment, Now};

/// Between the starts of two calls when the first one failed, or when the value has expired
pub(crate) const SPACING: Duration = Duration::from_secs(5);
/// Between the starts of two calls when the first one was a success
const SUCCESS_SPACING: Duration = Duration::from_secs(1);
/// Between two calls because other servers refuse the value
const DOUBT_SPACING: Duration = Duration::from_secs(60);
/// A value with a shorter life expires while it waits for [`SPACING`].
const SHORT_LIFE: Duration = Duration::from_secs(30);
/// Added to [`SPACING`] at random
const SPREAD: Duration = Duration::from_millis(300);
/// A value is looked at this often at least, because ten years are longer than any source keeps its word.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// A value that is valid for weeks still does not stay stale for days because of one failure.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// A source that says no is asked less and less often, up to this.
const REFUSED_WAIT: Duration = Duration::from_secs(60);
/// The longest wish of a server (Retry-After) that counts, unless the value is valid for longer
const WISH_LIMIT: Duration = Duration::from_secs(5 * 60);
/// The share of the real life after which a value is refreshed, where its source can prolong it, and elsewhere
const SHARES: (f64, f64) = (0.66, 0.8);
/// Values without an expiry are fetched again after this time.
const DEFAULT_EVERY: Duration = Duration::from_secs(5 * 60);
/// Changes of a file are noticed; this is for events that got lost.
const FILE_EVERY: Duration = Duration::from_secs(60);
/// Where files are removed because their value expires, they are removed this long before, because a reader such as proxy
/// notices it some seconds later. But half of the time between the first refresh and the expiry is left for retries.
const FAREWELL: Duration = Duration::from_secs(5);
/// A part of the wait that is left off at random, so that many pods do not come at once
const JITTER: f64 = 0.1;

/// What the configuration says about the times of one secret
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// The share of the real life after which the value is refreshed
    pub(crate) share: Option<f64>,
    /// For values without an expiry
    pub(crate) every: Option<Duration>,
    /// The source is a file: its changes are noticed, and no store is spared
    pub(crate) is_local: bool,
}

impl Rules {
    /// The share of its life after which a value is refreshed
    pub(crate) fn share(&self, is_renewable: bool) -> f64 {
        self.share.unwrap_or(if is_renewable { SHARES.0 } else { SHARES.1 })
    }

    /// The time between two calls of a source whose values have no expiry
    pub(crate) fn every(&self) -> Duration {
        let default = if self.is_local { FILE_EVERY } else { DEFAULT_EVERY };
        self.every.unwrap_or(default)
    }
}

/// How a source is called
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Fetch,
    Renew,
}

/// What an answer says about times
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    /// The start of the request, from which the life counts
    pub(crate) asked: Now,
    pub(crate) life: Option<Duration>,
    pub(crate) is_renewable: bool,
}

/// The kinds of failure that differ in their times
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// The source knows who asks and says no.
    Refused,
    /// The answer cannot be right: it may come from something in front of a server that is down.
    BadAnswer,
    /// Everything else, with the wish of the server (Retry-After)
    Unavailable(Option<Duration>),
}

/// The times of one secret
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    rules: Rules,
    value: Option<Value>,
    /// The start of the last call
    called: Option<Moment>,
    /// Calls that failed since the last success
    failures: u32,
    /// A call is due from here on
    due: Moment,
    /// The server wants no call before this moment (Retry-After).
    wished: Option<Moment>,
    /// The last call that a doubt of others asked for
    doubted: Option<Moment>,
    /// The same as `due` on the wall clock; a machine that was restored from a snapshot knows of the lost time only there.
    due_wall: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    asked: Now,
    expires: Option<Moment>,
    is_renewable: bool,
    /// When its files are removed, if they are to be
    removal: Option<Moment>,
    /// The life that the last fetch gave
    full: Option<Duration>,
}

impl Schedule {
    /// Without a value; the first call is due at once.
    pub(crate) fn new(rules: Rules, now: &Now) -> Self {
        Self {
            rules,
            value: None,
            called: None,
            failures: 0,
            due: now.moment,
            wished: None,
            doubted: None,
            due_wall: None,
        }
    }

    /// The call that is due, if there is one.
    pub(crate) fn due_call(&self, now: &Now) -> Option<Ask> {
        let is_late = self.due_wall.is_some_and(|due| now.wall >= due);
        if (now.moment < self.due && !is_late) || now.moment < self.earliest(now) {
            return None;
        }
        let can_renew = self.value.is_some_and(|value| value.is_renewable) && self.is_valid(now);
        Some(if can_renew { Ask::Renew } else { Ask::Fetch })
    }

    /// When the next call is due on the clock that no correction moves.
    pub(crate) fn next_call(&self, now: &Now) -> Moment {
        self.due.max(self.earliest(now))
    }

    /// Whether there is a value that has not expired.
    pub(crate) fn is_valid(&self, now: &Now) -> bool {
        self.value.is_some_and(|value| value.expires.is_none_or(|expires| now.moment < expires))
    }

    /// Whether there is or was a value.
    pub(crate) fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// When the value expires or expired; `None` without a known expiry.
    pub(crate) fn expires(&self) -> Option<Moment> {
        self.value.and_then(|value| value.expires)
    }

    /// When the files of the value are removed where that is asked for; `None` without a known expiry.
    pub(crate) fn removal(&self) -> Option<Moment> {
        self.value.and_then(|value| value.removal)
    }

    /// Calls that failed since the last success
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether its life is too short to wait for the calls of others; none of its own has failed.
    pub(crate) fn is_pressed(&self) -> bool {
        self.failures == 0 && self.value.and_then(|value| value.full).is_some_and(|life| life < SHORT_LIFE)
    }

    /// When the value was asked for
    pub(crate) fn asked(&self) -> Option<Now> {
        self.value.map(|value| value.asked)
    }

    /// The same value by other rules, from now on. They may want a call earlier.
    pub(crate) fn under(self, rules: Rules, now: &Now) -> Self {
        Self { rules, due: now.moment, ..self }
    }

    /// Notes that a call begins.
    pub(crate) fn begin(&mut self, now: &Now) {
        self.called = Some(now.moment);
    }

    /// Notes the success of a call. `random` lies in `0.0..1.0`.
    pub(crate) fn succeed(&mut self, ask: Ask, term: &Term, random: f64) {
        let before = self.value.and_then(|value| value.full);
        let full = if ask == Ask::Renew { before.or(term.life) } else { term.life };
        // A store that has reached the longest life of a login gives less and less. Only a new login gives a whole life.
        let is_exhausted = matches!((term.life, full), (Some(life), Some(full)) if life < full / 2);
        let is_renewable = term.is_renewable && !(ask == Ask::Renew && is_exhausted);
        let expires = term.life.map(|life| term.asked.moment.plus(life));
        let wait = self.wait(term.life, is_renewable);
        let removal = term.life.map(|life| {
            let margin = FAREWELL.min(life.saturating_sub(wait) / 2);
            term.asked.moment.plus(life.saturating_sub(margin))
        });
        self.value = Some(Value { asked: term.asked, expires, removal, is_renewable, full });
        self.failures = 0;
        self.wished = None;
        let wait = wait.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0));
        self.due = term.asked.moment.plus(wait);
        self.due_wall = term.asked.wall.checked_add(wait);
    }

    /// Notes the failure of a call.
    pub(crate) fn fail(&mut self, ask: Ask, setback: Setback, now: &Now, random: f64) {
        self.failures = self.failures.saturating_add(1);
        // A renewal that is refused will be refused again: the next call is a fetch.
        if let (Ask::Renew, Setback::Refused | Setback::BadAnswer, Some(value)) = (ask, setback, &mut self.value) {
            value.is_renewable = false;
        }
        let called = self.called.unwrap_or(now.moment);
        let random = random.clamp(0.0, 1.0);
        let doubled = SPACING.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        let rest = self.expires().filter(|_| self.is_valid(now)).map(|expires| expires.since(now.moment));
        let wait = match (rest, setback) {
            // It may have been revoked: the one fetch is worth a call, and its failure is a failure like others.
            (Some(_), Setback::Refused | Setback::BadAnswer) if ask == Ask::Renew => SPACING,
            // A quarter of what is left, more or less: the retries come closer to each other as the end comes near.
            (Some(rest), _) => rest.mul_f64(0.2 + 0.1 * random).clamp(SPACING, LONGEST_RETRY),
            // A value without an expiry
            (None, _) if self.is_valid(now) => doubled.min(self.rules.every()).max(SPACING),
            (None, Setback::Refused) => doubled.min(REFUSED_WAIT),
            (None, Setback::BadAnswer | Setback::Unavailable(_)) => SPACING,
        };
        let wish = match setback {
            Setback::Unavailable(Some(wish)) => wish.min(rest.unwrap_or_default().max(WISH_LIMIT)),
            _ => Duration::ZERO,
        };
        let due = called.plus(wait + SPREAD.mul_f64(random));
        self.wished = (!wish.is_zero()).then(|| now.moment.plus(wish));
        self.due = due;
        self.due_wall = None;
    }

    /// Something that the value builds on has changed: the next call is due as soon as the spacing allows.
    pub(crate) fn hasten(&mut self, now: &Now) {
        self.due = now.moment;
    }

    /// A server did not accept the value, which may have been revoked: the next call is due soon. One that refuses each new
    /// value as well leads to a call a minute, because its refusal has another cause.
    pub(crate) fn doubt(&mut self, now: &Now) {
        let earliest = self.doubted.map_or(now.moment, |last| last.plus(DOUBT_SPACING).max(now.moment));
        if earliest < self.due {
            self.due = earliest;
            self.doubted = Some(earliest);
        }
    }

    /// Before this moment no call is made, whatever is due.
    fn earliest(&self, now: &Now) -> Moment {
        let Some(called) = self.called else { return self.due.min(now.moment) };
        let spaced = match self.rules.is_local {
            true => called,
            false if self.failures > 0 || !self.is_valid(now) => called.plus(SPACING),
            false => called.plus(self.success_spacing()),
        };
        self.wished.map_or(spaced, |wished| wished.max(spaced))
    }

    /// A value of one second must be replaced within this second.
    fn success_spacing(&self) -> Duration {
        let life = self.value.and_then(|value| value.full);
        life.map_or(SUCCESS_SPACING, |life| SUCCESS_SPACING.min(life / 2))
    }

    fn wait(&self, life: Option<Duration>, is_renewable: bool) -> Duration {
        let Some(life) = life else { return self.rules.every() };
        let wait = life.mul_f64(self.rules.share(is_renewable)).min(LONGEST_WAIT);
        // Whoever writes the file replaces it when that one likes.
        if self.rules.is_local { wait.min(self.rules.every()) } else { wait }
    }
}

#[cfg(test)]
mod tests;
