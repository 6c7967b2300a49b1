//! What is counted of each secret.

use std::time::SystemTime;

use lifecycle::Lifecycle;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, core::Collector};

use crate::schedule::secret_state::SecretState;

/// The metrics of all secrets
#[derive(Clone)]
pub(crate) struct Metrics {
    expiry: GaugeVec,
    last_success: GaugeVec,
    refreshes: IntCounterVec,
    failures: IntCounterVec,
    states: IntGaugeVec,
}

/// The series of one secret; gone when this is dropped
pub(crate) struct Telemetry {
    metrics: Metrics,
    secret: String,
    pub(crate) refreshes: IntCounter,
    last_success: Gauge,
}

/// Reasons of failures; each has its series from the start.
pub(crate) const REASONS: [&str; 8] =
    ["refused", "unavailable", "bad_answer", "input", "unfit", "place", "busy", "volume"];

impl Metrics {
    /// Registers them.
    pub(crate) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let name = |what: &str| format!("sidekit_token_refresher_{what}");
        let gauges = |what, help, labels: &[&str]| GaugeVec::new(Opts::new(name(what), help), labels);
        let counters = |what, help, labels: &[&str]| IntCounterVec::new(Opts::new(name(what), help), labels);
        let metrics = Self {
            expiry: gauges("expiry_timestamp_seconds", "When the value expires, where that is known", &["secret"])?,
            last_success: gauges("last_success_timestamp_seconds", "When the source last gave a value", &["secret"])?,
            refreshes: counters("refreshes_total", "Values that the source gave", &["secret"])?,
            failures: counters(
                "failures_total",
                "Calls of the source and writes of files that failed, by reason",
                &["secret", "reason"],
            )?,
            states: IntGaugeVec::new(
                Opts::new(name("state"), "1 for the state that the secret is in: missing, fresh, stale or expired"),
                &["secret", "state"],
            )?,
        };
        let all: [Box<dyn Collector>; 5] = [
            Box::new(metrics.expiry.clone()),
            Box::new(metrics.last_success.clone()),
            Box::new(metrics.refreshes.clone()),
            Box::new(metrics.failures.clone()),
            Box::new(metrics.states.clone()),
        ];
        all.into_iter().try_for_each(|collector| life.metrics().register(collector))?;
        Ok(metrics)
    }

    /// The series of one secret
    pub(crate) fn of(&self, secret: &str) -> Telemetry {
        for reason in REASONS {
            self.failures.with_label_values(&[secret, reason]);
        }
        Telemetry {
            metrics: self.clone(),
            secret: secret.to_owned(),
            refreshes: self.refreshes.with_label_values(&[secret]),
            last_success: self.last_success.with_label_values(&[secret]),
        }
    }
}

impl Telemetry {
    pub(crate) fn succeeded(&self, at: SystemTime) {
        self.last_success.set(seconds(at));
    }

    pub(crate) fn failed(&self, reason: &str) {
        self.metrics.failures.with_label_values(&[self.secret.as_str(), reason]).inc();
    }

    /// A secret without a known expiry has no series of it.
    pub(crate) fn show(&self, state: SecretState, expiry: Option<SystemTime>) {
        for each in SecretState::ALL {
            let labels = [self.secret.as_str(), &each.to_string()];
            self.metrics.states.with_label_values(&labels).set((each == state).into());
        }
        match expiry {
            Some(expiry) => self.metrics.expiry.with_label_values(&[&self.secret]).set(seconds(expiry)),
            None => {
                let _ = self.metrics.expiry.remove_label_values(&[&self.secret]);
            }
        }
    }
}

impl Drop for Telemetry {
    /// Nothing is left to remove where another call has removed it.
    fn drop(&mut self) {
        let secret = self.secret.as_str();
        let _ = self.metrics.expiry.remove_label_values(&[secret]);
        let _ = self.metrics.last_success.remove_label_values(&[secret]);
        let _ = self.metrics.refreshes.remove_label_values(&[secret]);
        for reason in REASONS {
            let _ = self.metrics.failures.remove_label_values(&[secret, reason]);
        }
        for state in SecretState::ALL {
            let _ = self.metrics.states.remove_label_values(&[secret, &state.to_string()]);
        }
    }
}

/// Seconds of Unix time, to the second
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64().floor()
}
