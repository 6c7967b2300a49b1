//! Holds and heartbeats behind `/livez`, `/readyz` and `/startupz`, and what is pending when a stop
//! comes.
//!
//! Liveness depends on the vital loops alone, and never on another service or on the listener's
//! thread. Nothing here waits or reads a clock for a decision, so that every rule can be tested
//! with times that are passed in.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    finding::{Condition, Finding, Name},
    heartbeat::{Heartbeat, Pulse},
};

/// The longest time from the start to the first vital loop: long enough for a slow volume, and as
/// long as a kubelet with the default probe (three failures, ten seconds apart) waits for a helper
/// that does not answer at all.
const START_BOUND: Duration = Duration::from_secs(30);

/// The state of the helper that the health listener reports
#[derive(Debug)]
pub(crate) struct Health {
    born: Instant,
    /// The pulse of the start, until the first vital loop is registered
    start: Mutex<Option<Pulse>>,
    started: AtomicBool,
    unready: AtomicBool,
    holds: Mutex<Vec<Arc<HoldState>>>,
    heartbeats: Mutex<Vec<Weak<Pulse>>>,
    pending: Mutex<Vec<Arc<PendingState>>>,
}

/// One named check of `/readyz`, which fails until it is released; dropping it does not release it
#[derive(Debug)]
pub struct Hold(Arc<HoldState>);

#[derive(Debug)]
struct HoldState {
    name: Name,
    condition: Mutex<Condition>,
    is_retired: AtomicBool,
}

/// A count of things that a stop must still deliver, such as `batches`
#[derive(Clone, Debug)]
pub struct Pending(Arc<PendingState>);

#[derive(Debug)]
struct PendingState {
    unit: &'static str,
    count: AtomicU64,
}

impl Health {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            born: now,
            start: Mutex::new(Some(Pulse::new("start".into(), START_BOUND, now))),
            started: AtomicBool::new(false),
            unready: AtomicBool::new(false),
            holds: Mutex::default(),
            heartbeats: Mutex::default(),
            pending: Mutex::default(),
        }
    }

    pub(crate) fn hold(&self, name: Name) -> Hold {
        let condition = Mutex::new(Condition::Failed("not yet".into()));
        let state = Arc::new(HoldState { name, condition, is_retired: AtomicBool::new(false) });
        lock(&self.holds).push(state.clone());
        Hold(state)
    }

    pub(crate) fn heartbeat(&self, name: Name, bound: Duration) -> Heartbeat {
        let heartbeat = Heartbeat::new(name, bound, self.born);
        heartbeat.beat();
        lock(&self.heartbeats).push(heartbeat.pulse());
        *lock(&self.start) = None;
        heartbeat
    }

    pub(crate) fn pending(&self, unit: &'static str) -> Pending {
        let state = Arc::new(PendingState { unit, count: AtomicU64::new(0) });
        lock(&self.pending).push(state.clone());
        Pending(state)
    }

    /// The first good result is there: `/startupz` is 200 from here on, and never goes back.
    pub(crate) fn started(&self) {
        self.started.store(true, Relaxed);
    }

    /// `/readyz` is 503 from here on.
    pub(crate) fn become_unready(&self) {
        self.unready.store(true, Relaxed);
    }

    /// The work that is still to be delivered, such as `3 batches`; `None` when there is none.
    pub(crate) fn pending_work(&self) -> Option<String> {
        let counts = lock(&self.pending);
        let texts: Vec<_> = counts
            .iter()
            .map(|state| (state.count.load(Relaxed), state.unit))
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    pub(crate) fn livez(&self, now: Instant) -> Vec<Finding> {
        let mut heartbeats = lock(&self.heartbeats);
        heartbeats.retain(|pulse| pulse.strong_count() > 0);
        let start = lock(&self.start);
        let loops = heartbeats.iter().filter_map(Weak::upgrade).map(|pulse| pulse.finding(now));
        start.iter().map(|start| start.finding(now)).chain(loops).collect()
    }

    pub(crate) fn readyz(&self) -> Vec<Finding> {
        let stopping = self.unready.load(Relaxed).then(|| "draining or stopping".to_owned());
        let shutdown = Finding { name: "shutdown".into(), condition: stopping.into() };
        let mut holds = lock(&self.holds);
        holds.retain(|hold| !hold.is_retired.load(Relaxed));
        let held =
            holds.iter().map(|hold| Finding { name: hold.name.clone(), condition: lock(&hold.condition).clone() });
        // Until it has started, a job may not have taken its holds yet.
        std::iter::once(shutdown).chain(self.startupz()).chain(held).collect()
    }

    pub(crate) fn startupz(&self) -> Vec<Finding> {
        let waiting = (!self.started.load(Relaxed)).then(|| "no good result yet".to_owned());
        vec![Finding { name: "started".into(), condition: waiting.into() }]
    }
}

impl Hold {
    /// The check no longer fails.
    pub fn release(&self) {
        self.set(Condition::Well);
    }

    /// The check no longer fails, and `/readyz?verbose` adds these words to its line. They are public and must hold no secret.
    pub fn release_with(&self, words: impl Into<String>) {
        self.set(Condition::WellWith(words.into()));
    }

    /// The check fails again, or for another reason; the reason is public and must hold no secret.
    pub fn because(&self, reason: impl Into<String>) {
        self.set(Condition::Failed(reason.into()));
    }

    /// Removes the check from `/readyz`, because its subject is gone.
    pub fn retire(self) {
        self.0.is_retired.store(true, Relaxed);
    }

    fn set(&self, condition: Condition) {
        *lock(&self.0.condition) = condition;
    }
}

impl Pending {
    /// Adds things that are to be delivered.
    pub fn add(&self, count: u64) {
        self.0.count.fetch_add(count, Relaxed);
    }

    /// Subtracts things that are delivered, or given up and reported elsewhere.
    pub fn done(&self, count: u64) {
        // An underflow would report 2^64 undelivered things, so the count stops at zero.
        let _ = self.0.count.fetch_update(Relaxed, Relaxed, |before| Some(before.saturating_sub(count)));
    }
}

/// A poisoned lock is taken all the same, because a panic elsewhere must not end the health
/// listener. The guarded value is consistent after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether exactly these checks fail, for these reasons
    #[track_caller]
    fn assert_failures(findings: Vec<Finding>, expected: &[(&str, &str)]) {
        let failed = findings.into_iter().filter_map(|finding| match finding.condition {
            Condition::Failed(reason) => Some((finding.name.into_owned(), reason)),
            _ => None,
        });
        let expected = expected.iter().map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned()));
        assert_eq!(failed.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    fn well(name: &'static str) -> Finding {
        Finding { name: name.into(), condition: Condition::Well }
    }

    #[test]
    fn a_silent_loop_is_dead_until_it_beats_again() {
        let born = Instant::now();
        let health = Health::new(born);
        let heartbeat = health.heartbeat("tail".into(), Duration::from_secs(3));
        assert_failures(health.livez(born + Duration::from_secs(2)), &[]);
        assert_failures(health.livez(born + Duration::from_secs(5)), &[("tail", "no beat for 5.0s, the bound is 3s")]);
        heartbeat.beat();
        assert_failures(health.livez(Instant::now()), &[]);
    }

    #[test]
    fn the_start_counts_as_a_loop_until_the_first_one_is_registered() {
        let born = Instant::now();
        let health = Health::new(born);
        assert_eq!(health.livez(born + START_BOUND), [well("start")]);
        assert_failures(
            health.livez(born + Duration::from_secs(40)),
            &[("start", "no beat for 40s, the bound is 30s")],
        );
        let _heartbeat = health.heartbeat("tail".into(), Duration::from_secs(60));
        assert_eq!(health.livez(born + Duration::from_secs(40)), [well("tail")]);
    }

    #[test]
    fn a_loop_that_ended_in_order_is_forgotten() {
        let born = Instant::now();
        let health = Health::new(born);
        drop(health.heartbeat("tail".into(), Duration::from_secs(1)));
        assert_eq!(health.livez(born + Duration::from_secs(9)), []);
    }

    #[test]
    fn ready_needs_every_hold_released_and_no_stop() {
        let health = Health::new(Instant::now());
        assert_failures(health.readyz(), &[("started", "no good result yet")]);
        health.started();
        let (first, second) = (health.hold("listener".into()), health.hold("token".into()));
        first.release();
        assert_failures(health.readyz(), &[("token", "not yet")]);
        second.release();
        assert_failures(health.readyz(), &[]);
        second.because("expired");
        assert_failures(health.readyz(), &[("token", "expired")]);
        second.release();
        health.become_unready();
        assert_failures(health.readyz(), &[("shutdown", "draining or stopping")]);
    }

    #[test]
    fn a_dropped_hold_still_holds() {
        let health = Health::new(Instant::now());
        drop(health.hold("token".into()));
        health.started();
        assert_failures(health.readyz(), &[("token", "not yet")]);
    }

    #[test]
    fn a_check_that_is_well_may_say_more_and_is_gone_once_it_has_retired() {
        let health = Health::new(Instant::now());
        health.started();
        let name = format!("secret-{}", 1);
        let hold = health.hold(name.into());
        hold.release_with("stale, 12m left");
        let lines = || health.readyz().iter().map(Finding::line).collect::<String>();
        assert_eq!(lines(), "[+]shutdown ok\n[+]started ok\n[+]secret-1 ok: stale, 12m left\n");
        assert!(health.readyz().iter().all(Finding::is_well));
        hold.because("expired");
        assert_failures(health.readyz(), &[("secret-1", "expired")]);
        hold.retire();
        assert_eq!(lines(), "[+]shutdown ok\n[+]started ok\n");
    }

    #[test]
    fn startup_is_never_taken_back() {
        let health = Health::new(Instant::now());
        assert_failures(health.startupz(), &[("started", "no good result yet")]);
        health.started();
        health.become_unready();
        assert_failures(health.startupz(), &[]);
    }

    #[test]
    fn pending_things_are_counted_by_unit() {
        let health = Health::new(Instant::now());
        let (batches, bytes) = (health.pending("batches"), health.pending("bytes"));
        assert_eq!(health.pending_work(), None);
        batches.add(3);
        bytes.add(7);
        bytes.done(9);
        assert_eq!(health.pending_work().as_deref(), Some("3 batches"));
    }
}
