//! How often apps were told, and who still waits.

use lifecycle::Lifecycle;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

/// The metrics of all secrets
#[derive(Clone)]
pub(crate) struct TellMetrics {
    attempts: IntCounterVec,
    untold: IntGaugeVec,
}

/// The series of one way of one secret. Entries of one way share them.
pub(super) struct Series {
    pub(super) told: IntCounter,
    pub(super) failed: IntCounter,
    /// Entries whose app does not know the newest value yet
    pub(super) untold: IntGauge,
}

impl TellMetrics {
    /// Registers them.
    pub(crate) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let attempts = IntCounterVec::new(
            Opts::new(
                "sidekit_token_refresher_tells_total",
                "Attempts to tell the app of a new value, by their result",
            ),
            &["secret", "way", "result"],
        )?;
        let untold = IntGaugeVec::new(
            Opts::new("sidekit_token_refresher_untold", "Ways by which the app was not told of the newest value yet"),
            &["secret", "way"],
        )?;
        life.metrics().register(Box::new(attempts.clone()))?;
        life.metrics().register(Box::new(untold.clone()))?;
        Ok(Self { attempts, untold })
    }

    pub(super) fn series(&self, secret: &str, way: &str) -> Series {
        Series {
            told: self.attempts.with_label_values(&[secret, way, "ok"]),
            failed: self.attempts.with_label_values(&[secret, way, "failed"]),
            untold: self.untold.with_label_values(&[secret, way]),
        }
    }
}
