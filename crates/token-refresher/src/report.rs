//! What others see of one secret: its log lines, metrics, check of `/readyz` and row on the board.

pub(crate) mod board;
pub(crate) mod status;
pub(crate) mod telemetry;

use std::time::{Duration, SystemTime};

use lifecycle::Hold;

use self::{
    board::{Board, Failure, Row},
    telemetry::Telemetry,
};
use crate::{
    schedule::Schedule, schedule::clock::Now, schedule::secret_state::SecretState, schedule::write_state::WriteState,
    secret_entry::OnExpired,
};

/// Two readings of both clocks differ by less than this.
const SAME: Duration = Duration::from_secs(2);

/// What others see of one secret
pub(crate) struct Report {
    secret: String,
    on_expired: OnExpired,
    board: Board,
    telemetry: Telemetry,
    hold: Hold,
    row: Row,
    was_ready: bool,
    /// The secret that the next call waits for
    waits_for: Option<String>,
}

impl Report {
    pub(crate) fn new(secret: &str, on_expired: OnExpired, board: Board, telemetry: Telemetry, hold: Hold) -> Self {
        let row = Row::new();
        board.show(secret, &row);
        hold.because("no value yet");
        Self { secret: secret.to_owned(), on_expired, board, telemetry, hold, row, was_ready: false, waits_for: None }
    }

    /// Shows the state; the result is whether it is a new one.
    pub(crate) fn show(&mut self, schedule: &Schedule, writes: &WriteState, state: SecretState, now: &Now) -> bool {
        let is_new = state != self.row.state;
        if is_new {
            self.log(state);
        }
        let expires = schedule.expires().map(|moment| now.wall_at(moment));
        self.row.state = state;
        self.row.is_written = writes.is_written();
        self.row.expires = settled(self.row.expires, expires);
        self.row.next_attempt = settled(self.row.next_attempt, Some(now.wall_at(schedule.next_call(now))));
        self.telemetry.show(state, self.row.expires);
        self.board.show(&self.secret, &self.row);
        self.was_ready |= writes.is_written();
        let is_usable = state != SecretState::Expired && (self.row.is_written || writes.is_valid(now));
        self.show_check(&state.words(schedule, now), is_usable);
        is_new
    }

    /// Notes that the source gave a value; the result is how often it had failed.
    pub(crate) fn succeeded(&mut self, now: &Now) -> u64 {
        self.telemetry.refreshes.inc();
        self.telemetry.succeeded(now.wall);
        self.row.last_success = Some(now.wall);
        self.row.failure = None;
        std::mem::take(&mut self.row.failures)
    }

    /// Notes that all files are written.
    pub(crate) fn wrote(&mut self) {
        if self.row.state == SecretState::Fresh {
            self.row.failure = None;
            self.row.failures = 0;
        }
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        self.telemetry.failed(failure.label);
        self.row.failure = Some(failure);
        self.row.failures += 1;
    }

    /// The next call must wait for another secret, or for none.
    pub(crate) fn waits_for(&mut self, base: Option<&str>) {
        self.waits_for = base.map(str::to_owned);
    }

    fn log(&self, state: SecretState) {
        let secret = &self.secret;
        let reason = self.row.failure.as_ref().map(|failure| failure.reason.as_str());
        match state {
            SecretState::Missing | SecretState::Fresh => tracing::info!(secret, "the value is {state}"),
            SecretState::Stale => tracing::warn!(secret, reason, "the value is stale, and still valid"),
            SecretState::Expired => tracing::error!(secret, reason, "the value has expired"),
        }
    }

    /// Each secret has to be written once before the app is ready. After that, its files are good for as long as the value in
    /// them is, also while a newer one cannot be written.
    fn show_check(&self, words: &str, is_usable: bool) {
        let waiting = || self.waits_for.as_ref().map(|base| format!("waits for the secret {base}"));
        let reason = self.row.failure.as_ref().map(|failure| failure.reason.clone()).or_else(waiting);
        let with_reason = |words: &str| match &reason {
            Some(reason) => format!("{words}: {reason}"),
            None => words.to_owned(),
        };
        match self.on_expired {
            _ if !self.was_ready => self.hold.because(reason.unwrap_or_else(|| "no value yet".to_owned())),
            OnExpired::Unready if !is_usable => self.hold.because(with_reason(words)),
            _ => self.hold.release_with(with_reason(words)),
        }
    }

    /// Removes the check and the row, because the secret is no longer in the configuration.
    pub(crate) fn retire(self) {
        self.hold.retire();
        self.board.remove(&self.secret);
    }
}

/// The time as it was shown, unless a clock was moved.
fn settled(shown: Option<SystemTime>, time: Option<SystemTime>) -> Option<SystemTime> {
    let (Some(old), Some(new)) = (shown, time) else { return time };
    let gap = new.duration_since(old).unwrap_or_else(|error| error.duration());
    if gap < SAME { shown } else { time }
}
