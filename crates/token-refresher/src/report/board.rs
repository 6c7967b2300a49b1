//! What is known of all secrets at once, for the start, the status file and the last line of a task.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

use crate::schedule::secret_state::SecretState;

/// The newest row of each secret
#[derive(Clone, Debug)]
pub(crate) struct Board {
    rows: Arc<Mutex<BTreeMap<String, Row>>>,
    changes: watch::Sender<u64>,
}

/// What is known of one secret; nothing of its value
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) state: SecretState,
    /// Whether its files hold the newest value
    pub(crate) is_written: bool,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) last_success: Option<SystemTime>,
    pub(crate) next_attempt: Option<SystemTime>,
    /// The last failure, until the next success
    pub(crate) failure: Option<Failure>,
    /// Failures since the last success
    pub(crate) failures: u64,
}

/// Why a call or a write failed
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The label of metrics
    pub(crate) label: &'static str,
    /// Without secrets
    pub(crate) reason: String,
    pub(crate) at: SystemTime,
}

impl Row {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self {
            state: SecretState::Missing,
            is_written: false,
            expires: None,
            last_success: None,
            next_attempt: None,
            failure: None,
            failures: 0,
        }
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { rows: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// Puts the row of a secret in place of its former one.
    pub(crate) fn show(&self, secret: &str, row: &Row) {
        let is_changed = {
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            let is_changed = rows.get(secret) != Some(row);
            if is_changed {
                rows.insert(secret.to_owned(), row.clone());
            }
            is_changed
        };
        if is_changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// A secret is no longer in the configuration.
    pub(crate) fn remove(&self, secret: &str) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(secret);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn rows(&self) -> BTreeMap<String, Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the changes
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Resolves when each secret of the board has been written.
    pub(crate) async fn all_written(&self) {
        let mut changes = self.changes();
        while !self.rows().values().all(|row| row.is_written) {
            // `self` holds the sender.
            let _ = changes.changed().await;
        }
    }

    /// A secret that is not written, with its last failure.
    pub(crate) fn unwritten(&self) -> Option<(String, Option<Failure>)> {
        let rows = self.rows();
        let mut unwritten: Vec<_> = rows.into_iter().filter(|(_, row)| !row.is_written).collect();
        // One that fails says more than one that waits for it.
        unwritten.sort_by_key(|(_, row)| row.failure.is_none());
        unwritten.into_iter().next().map(|(name, row)| (name, row.failure))
    }
}
