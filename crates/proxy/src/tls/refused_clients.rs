//! The log of clients whose certificates are refused: enough to find each of them.

use std::time::Instant;

use crate::{peer::Peer, recent_lines::RecentLines};

/// What the log of one worker has of such clients
#[derive(Debug, Default)]
pub(crate) struct RefusedClients(RecentLines);

impl RefusedClients {
    /// Logs that the certificate of a client is refused, if that is news.
    pub(crate) fn log(&self, listener: &str, peer: Peer, reason: &str) {
        if self.0.is_due(&format!("{listener} {peer} {reason}"), Instant::now()) {
            tracing::info!(listener, client = %peer, reason, "a client is refused for its certificate");
        }
    }
}
