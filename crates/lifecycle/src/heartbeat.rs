//! The heartbeat of a vital loop, which `/livez` watches.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    finding::{Finding, Name},
    units,
};

/// The pulse of a vital loop; `/livez` no longer lists the loop when this is dropped
#[derive(Debug)]
pub struct Heartbeat(Arc<Pulse>);

/// The last sign of life of a vital loop
#[derive(Debug)]
pub(crate) struct Pulse {
    name: Name,
    bound: Duration,
    born: Instant,
    last_beat_milliseconds: AtomicU64,
    /// Shared with the task that waits for the loop's end, because the pulse ends with the loop
    retired: Arc<AtomicBool>,
}

impl Heartbeat {
    pub(crate) fn new(name: Name, bound: Duration, born: Instant) -> Self {
        Self(Arc::new(Pulse::new(name, bound, born)))
    }

    /// The pulse as long as the loop holds its heartbeat
    pub(crate) fn pulse(&self) -> Weak<Pulse> {
        Arc::downgrade(&self.0)
    }

    /// Reports that the loop is alive; costs two atomic operations.
    pub fn beat(&self) {
        let age = self.0.born.elapsed().as_millis();
        self.0.last_beat_milliseconds.store(u64::try_from(age).unwrap_or(u64::MAX), Relaxed);
    }

    /// The longest time that a loop may wait for work between two beats.
    pub fn interval(&self) -> Duration {
        self.0.bound / 3
    }

    /// The loop is no longer needed, and may return before a stop. Without this its return is a
    /// bug.
    pub fn retire(&self) {
        self.0.retired.store(true, Relaxed);
    }

    /// Whether the loop has retired, also once the heartbeat is gone.
    pub(crate) fn retired(&self) -> Arc<AtomicBool> {
        self.0.retired.clone()
    }
}

impl Pulse {
    pub(crate) fn new(name: Name, bound: Duration, born: Instant) -> Self {
        Self { name, bound, born, last_beat_milliseconds: AtomicU64::new(0), retired: Arc::default() }
    }

    pub(crate) fn finding(&self, now: Instant) -> Finding {
        let last_beat = self.born + Duration::from_millis(self.last_beat_milliseconds.load(Relaxed));
        let silence = now.saturating_duration_since(last_beat);
        let failure = (silence > self.bound).then(|| {
            let (silence, bound) = (units::elapsed(silence), units::format_duration(self.bound));
            format!("no beat for {silence}, the bound is {bound}")
        });
        Finding { name: self.name.clone(), condition: failure.into() }
    }
}
