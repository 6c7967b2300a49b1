//! Log lines about sources: one when a source fails, when its reason changes, every 30 s, and when it is back.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use lifecycle::LogThrottle;

use crate::fetch::source_outcome::SourceOutcome;

/// For each failing source, the throttle of its log lines
#[derive(Default)]
pub(crate) struct SourceLog(Mutex<HashMap<String, LogThrottle>>);

impl SourceLog {
    pub(crate) fn write(&self, outcomes: &[SourceOutcome]) {
        let mut throttles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for SourceOutcome { name, label, fault, .. } in outcomes {
            let throttle = throttles.entry(name.clone()).or_default();
            match fault {
                Some(fault) => {
                    let reason = fault.reason.label();
                    if throttle.is_due(reason, Instant::now()) {
                        tracing::warn!(source = name, url = label, reason, "no page of a source: {}", fault.text);
                    }
                }
                None => {
                    if throttle.settle() {
                        tracing::info!(source = name, url = label, "the source gives a page again");
                    }
                }
            }
        }
    }
}
