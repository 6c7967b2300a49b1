//! The loop of one secret: look, decide, act, keep the books.
//!
//! Long because each step of the loop is a method of one value, whose books all of them keep.

pub(crate) mod decision;
pub(crate) mod store;

use std::{
    future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::{Exit, FileWatch, LogThrottle, format_duration};
use tokio::{
    sync::{Notify, watch},
    time,
};

use crate::{
    adopt::StateDirectory,
    output::OutputError,
    refresher::decision::{Decision, decide, removal},
    refresher::store::{Returns, Store},
    report::Report,
    report::board::Failure,
    schedule::clock::{Clock, Moment, Now},
    schedule::secret_state::SecretState,
    schedule::write_state::WriteState,
    schedule::{Ask, Schedule, Setback, Term},
    secret_entry::SecretEntry,
    tell::Tell,
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::input::Inputs,
};

/// The secrets of a server that is down come to their turns in an order of chance, so that none of them waits for ever.
const DRAW: Duration = Duration::from_millis(200);

/// One call of a source
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// One secret, from its source to its files
pub(crate) struct Refresher {
    pub(crate) entry: SecretEntry,
    pub(crate) schedule: Schedule,
    pub(crate) writes: WriteState,
    pub(crate) fetched: Option<Fetched>,
    /// When the newest value was asked for, if that is not saved yet
    pub(crate) unsaved: Option<Now>,
    pub(crate) state: Option<StateDirectory>,
    /// Whether others build on it
    pub(crate) is_base: bool,
    /// The newest value, for those that build on it; none once it has expired
    pub(crate) value: watch::Sender<Option<Fetched>>,
    pub(crate) inputs: Inputs,
    /// The secrets that it builds on
    pub(crate) bases: Vec<Base>,
    /// Counts the new values of all secrets
    pub(crate) published: watch::Sender<u64>,
    pub(crate) tell: Option<Tell>,
    pub(crate) report: Report,
    pub(crate) clock: Clock,
    pub(crate) wake: Wake,
    pub(crate) throttle: LogThrottle,
    /// The server that it comes from
    pub(crate) store: Option<Store>,
    /// Its place among the secrets that wait for a turn, from `0.0` to `1.0`
    pub(crate) place: f64,
}

/// A secret that another one builds on
pub(crate) struct Base {
    pub(crate) name: String,
    pub(crate) value: watch::Receiver<Option<Fetched>>,
}

/// What ends a sleep early
pub(crate) struct Wake {
    pub(crate) published: watch::Receiver<u64>,
    pub(crate) hangups: watch::Receiver<u64>,
    /// Another secret met a server that does not accept the value any more.
    pub(crate) doubt: Arc<Notify>,
    /// The server that it comes from answers again.
    pub(crate) returns: Option<Returns>,
    /// Of the file that is the source
    pub(crate) file: Option<FileWatch>,
}

/// What is left of a loop that another one replaces
#[derive(Debug)]
pub(crate) struct Left {
    source: String,
    schedule: Schedule,
    fetched: Fetched,
}

/// A step that failed
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: anyhow::Error,
    /// Whether another try gives the same result
    pub(crate) is_final: bool,
}

impl Refresher {
    /// One step: a call, a write, or a sleep.
    pub(crate) async fn step(&mut self) -> Result<(), Fault> {
        let now = self.clock.now();
        let missing = self.look_at_bases(&now);
        self.report.waits_for(missing.as_deref());
        self.show(&now);
        let decision =
            decide(&self.schedule, &self.writes, self.entry.on_expired, missing.is_none(), self.turn(), &now);
        match decision {
            Decision::Call(ask) => self.call(ask).await,
            Decision::Write => self.write().await,
            Decision::Delete => self.delete().await,
            Decision::Sleep(limit) => {
                self.sleep(limit).await;
                Ok(())
            }
        }
    }

    /// Watches the file that is the source, where it is one.
    pub(crate) async fn watch(&mut self) {
        let Some(path) = self.entry.source.watched() else { return };
        let watch = FileWatch::of(path).await;
        let secret = &self.entry.name;
        self.wake.file = watch
            .inspect_err(|error| {
                tracing::warn!(secret, error, "cannot watch the file's directory; it is read again and again");
            })
            .ok();
    }

    /// Uses the value of an earlier process where it is still valid. Those that build on it have used it.
    pub(crate) async fn adopt(&mut self) {
        let Some(state) = self.state.as_ref().filter(|_| self.fetched.is_none()) else { return };
        let now = self.clock.now();
        let Some(fetched) = state.adopt(&self.entry, self.is_base, &now).await else { return };
        let left = fetched.life.map_or_else(|| "unknown".into(), format_duration);
        tracing::info!(secret = self.entry.name, left, "the value of an earlier start is used");
        let term = Term { asked: now, life: fetched.life, is_renewable: false };
        self.schedule.succeed(Ask::Fetch, &term, fastrand::f64());
        self.fetched = Some(fetched);
        self.value.send_replace(self.fetched.clone());
    }

    /// What a loop of the same secret can go on with
    pub(crate) fn leave(self) -> (Report, Option<Left>) {
        let (source, schedule) = (format!("{:?}", self.entry.source), self.schedule);
        (self.report, self.fetched.map(|fetched| Left { source, schedule, fetched }))
    }

    /// Goes on with the value of a loop that had the same source, so that no other file and no other way to tell the app makes
    /// a value that is valid a missing one.
    pub(crate) fn take_over(&mut self, left: Left) {
        if left.source == format!("{:?}", self.entry.source) {
            self.schedule = left.schedule.under(self.entry.rules(), &self.clock.now());
            self.unsaved = self.schedule.asked();
            self.fetched = Some(left.fetched);
        }
    }

    /// The bases are those that the adopted value was built on.
    pub(crate) fn know_bases(&mut self) {
        for base in &mut self.bases {
            base.value.borrow_and_update();
        }
    }

    /// Whether a secret that this one builds on is missing: its name. A new value of one makes a call due.
    fn look_at_bases(&mut self, now: &Now) -> Option<String> {
        let mut missing = None;
        for base in &mut self.bases {
            let is_new = base.value.has_changed().unwrap_or(false);
            if base.value.borrow_and_update().is_none() {
                missing = missing.or_else(|| Some(base.name.clone()));
            } else if is_new && self.schedule.has_value() {
                self.schedule.hasten(now);
            }
        }
        missing
    }

    /// Shows the state, and notes that a value has expired.
    fn show(&mut self, now: &Now) {
        let state = SecretState::of(&self.schedule, now);
        let has_just_expired =
            self.report.show(&self.schedule, &self.writes, state, now) && state == SecretState::Expired;
        if has_just_expired {
            self.writes.hasten(now);
            self.publish(None);
        }
    }

    /// When its turn comes, where its server does not answer. A secret that has not failed itself comes first: the failures may
    /// be those of another secret alone.
    fn turn(&self) -> Option<Moment> {
        let earliest = self.store.as_ref()?.earliest().filter(|_| !self.schedule.is_pressed())?;
        let last = if self.schedule.failures() > 0 { DRAW } else { Duration::ZERO };
        Some(earliest.plus(last / 2 + DRAW.mul_f64(self.place / 2.0)))
    }

    async fn call(&mut self, ask: Ask) -> Result<(), Fault> {
        let asked = self.clock.now();
        if self.store.as_ref().is_some_and(|store| !store.begin(self.schedule.is_pressed(), &asked)) {
            // Another secret has the turn, which moves the earliest moment.
            return Ok(());
        }
        self.place = fastrand::f64();
        self.schedule.begin(&asked);
        let (source, inputs, last) = (self.entry.source.clone(), self.inputs.clone(), self.fetched.clone());
        let calling = async move {
            match (ask, last) {
                (Ask::Renew, Some(last)) => source.renew(&last, &inputs).await,
                _ => source.fetch(&inputs).await,
            }
        };
        let late = || FetchError::Unavailable {
            reason: format!("the source gave no answer within {}", format_duration(CALL_LIMIT)),
            retry_after: None,
        };
        let answer = self.show_during(time::timeout(CALL_LIMIT, calling)).await.unwrap_or_else(|_| Err(late()));
        self.note_server(answer.as_ref().err());
        let now = self.clock.now();
        let too_late = |life: Duration| asked.moment.plus(life) <= now.moment;
        match answer {
            Ok(fetched) if fetched.life.is_some_and(too_late) => {
                let reason = "the value expired before it arrived".to_owned();
                Err(self.fail(ask, &FetchError::Unavailable { reason, retry_after: None }, &now))
            }
            Ok(fetched) => {
                self.succeed(ask, fetched, asked, &now);
                Ok(())
            }
            Err(error) => Err(self.fail(ask, &error, &now)),
        }
    }

    /// Does some work. A value that expires in the meantime is shown as expired at that moment, and its files are removed.
    async fn show_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let now = self.clock.now();
            let expires = self.schedule.expires().filter(|_| self.schedule.is_valid(&now));
            let removal = removal(&self.schedule, &self.writes, self.entry.on_expired);
            let next = expires.into_iter().chain(removal).min();
            let expiry = async {
                match next {
                    Some(next) => time::sleep(next.since(now.moment)).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                done = &mut work => return done,
                () = expiry => {
                    let now = self.clock.now();
                    self.show(&now);
                    if removal.is_some_and(|removal| now.moment >= removal) {
                        // A failure is noted, and the removal is due again some seconds later.
                        let _ = self.delete().await;
                    }
                }
            }
        }
    }

    /// Notes whether the server answered. Nothing is known of it where the request could not be made.
    fn note_server(&self, error: Option<&FetchError>) {
        match (&self.store, error) {
            (Some(store), None | Some(FetchError::Refused(_))) => store.end(true),
            (Some(store), Some(FetchError::Unavailable { .. } | FetchError::BadAnswer(_))) => store.end(false),
            (None, _) | (_, Some(FetchError::Input(_) | FetchError::Unset(_))) => {}
        }
    }

    fn succeed(&mut self, ask: Ask, fetched: Fetched, asked: Now, now: &Now) {
        let term = Term { asked, life: fetched.life, is_renewable: fetched.renewable };
        let was_valid = self.schedule.is_valid(now);
        self.schedule.succeed(ask, &term, fastrand::f64());
        let is_changed = !was_valid
            || self.writes.is_deleted()
            || self.fetched.as_ref().is_none_or(|last| !last.fields.equals(&fetched.fields));
        let failures = self.report.succeeded(now);
        if is_changed || failures > 0 || !self.entry.rules().is_local {
            let life = fetched.life.map_or_else(|| "unknown".into(), format_duration);
            let renewed = ask == Ask::Renew;
            tracing::info!(secret = self.entry.name, life, renewed, failures, "refreshed");
        }
        self.throttle.settle();
        self.fetched = Some(fetched);
        self.unsaved = Some(asked);
        if is_changed {
            self.writes.fall_behind(now);
            self.publish(self.fetched.clone());
            if self.entry.outputs.is_empty() {
                self.announce();
            }
        } else {
            self.writes.prolong(self.schedule.expires());
        }
        self.show(now);
    }

    fn fail(&mut self, ask: Ask, error: &FetchError, now: &Now) -> Fault {
        let setback = match error {
            FetchError::Refused(_) | FetchError::Unset(_) => Setback::Refused,
            FetchError::BadAnswer(_) => Setback::BadAnswer,
            FetchError::Unavailable { .. } | FetchError::Input(_) => Setback::Unavailable(error.retry_after()),
        };
        self.schedule.fail(ask, setback, now, fastrand::f64());
        self.note(error.label(), error.to_string(), now);
        self.fault(error.exit(), &error.to_string(), error.is_final())
    }

    /// Writes each file. One that fails keeps none of the others from being written, unless its volume does not answer.
    async fn write(&mut self) -> Result<(), Fault> {
        let Some(fields) = self.fetched.as_ref().map(|fetched| fetched.fields.clone()) else {
            self.writes.failed(&self.clock.now());
            return Ok(());
        };
        let (mut is_changed, mut failure) = (false, None);
        for output in &self.entry.outputs {
            match output.write(&fields).await {
                Ok(written) => is_changed |= written.is_changed,
                Err(error) => {
                    let is_hung = error.is_hung();
                    failure.get_or_insert(error);
                    if is_hung {
                        break;
                    }
                }
            }
        }
        if is_changed {
            self.announce();
        }
        let now = self.clock.now();
        match failure {
            None => {
                self.writes.written(self.schedule.expires(), &now);
                self.report.wrote();
                self.save().await;
                self.show(&now);
                Ok(())
            }
            Some(error) => Err(self.cannot_write(&error, &now)),
        }
    }

    /// Saves the times of the value once. A failure costs the next start a call, and no more.
    async fn save(&mut self) {
        let (Some(state), Some(fetched), Some(asked)) = (&self.state, &self.fetched, self.unsaved.take()) else {
            return;
        };
        if let Err(error) = state.save(&self.entry, self.is_base, fetched, &asked).await {
            tracing::warn!(secret = self.entry.name, %error, "cannot save the times of the value");
        }
    }

    async fn delete(&mut self) -> Result<(), Fault> {
        let mut failure = None;
        for output in &self.entry.outputs {
            failure = failure.or(output.delete().await.err());
        }
        let now = self.clock.now();
        match failure {
            None => {
                tracing::warn!(secret = self.entry.name, "removed the files of the value, because it expires");
                self.writes.deleted(&now);
                self.announce();
                Ok(())
            }
            Some(error) => Err(self.cannot_write(&error, &now)),
        }
    }

    fn cannot_write(&mut self, error: &OutputError, now: &Now) -> Fault {
        self.writes.failed(now);
        self.note(error.label(), error.to_string(), now);
        self.fault(error.exit(), &error.to_string(), error.is_final())
    }

    /// Counts a failure, logs it unless it repeats, and shows it.
    fn note(&mut self, label: &'static str, reason: String, now: &Now) {
        if self.throttle.is_due(&reason, Instant::now()) {
            tracing::warn!(secret = self.entry.name, kind = label, reason, "cannot refresh");
        }
        self.report.failed(Failure { label, reason, at: now.wall });
        self.show(now);
    }

    fn fault(&self, exit: Exit, reason: &str, is_final: bool) -> Fault {
        Fault { error: exit.because(format!("secret {}: {reason}", self.entry.name)), is_final }
    }

    fn publish(&self, fetched: Option<Fetched>) {
        self.value.send_replace(fetched);
        self.published.send_modify(|count| *count += 1);
    }

    fn announce(&self) {
        if let Some(tell) = &self.tell {
            tell.announce();
        }
    }

    async fn sleep(&mut self, limit: Duration) {
        let is_local = self.wake.file.is_some();
        tokio::select! {
            () = time::sleep(limit) => {}
            Ok(()) = self.wake.published.changed() => {}
            Ok(()) = self.wake.hangups.changed() => self.schedule.hasten(&self.clock.now()),
            () = self.wake.doubt.notified() => self.schedule.doubt(&self.clock.now()),
            () = returns(&mut self.wake.returns) => {}
            () = next(&mut self.wake.file), if is_local => self.schedule.hasten(&self.clock.now()),
        }
    }
}

async fn returns(store: &mut Option<Returns>) {
    match store {
        Some(store) => store.next().await,
        None => future::pending().await,
    }
}

async fn next(file: &mut Option<FileWatch>) {
    match file {
        Some(file) => file.changed().await,
        None => future::pending().await,
    }
}
