//! The connections that the limit of open files allows, so that descriptors are left for what they need: connections to upstreams,
//! and the health listener, without which the kubelet would kill the pod.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::Limits;

/// Descriptors that clients never get: the health, admin and probe listeners with their connections, the runtimes of the workers,
/// files of logins and the configuration. It is half of a small limit.
const RESERVE: usize = 128;
/// Connections to upstreams that are idle
const POOLED: usize = 256;

/// The clients' connections of all workers
#[derive(Clone, Debug)]
pub(crate) struct Descriptors {
    connections: Arc<AtomicUsize>,
    most: usize,
}

/// A client's connection, for as long as it is open
pub(crate) struct Taken(Arc<AtomicUsize>);

impl Descriptors {
    /// Of this process, whose limit is raised as far as allowed.
    pub(crate) fn of_process(limits: &Limits, workers: usize) -> Self {
        lifecycle::raise_descriptor_limit();
        let limit = lifecycle::descriptor_limit();
        let most = most_connections(limit, workers.saturating_mul(limits.max_requests as usize + POOLED));
        if most < limits.max_connections as usize {
            tracing::warn!(
                limit,
                connections = most,
                "the limit of open files allows fewer connections than --max-connections; raise it (ulimit -n)"
            );
        }
        Self { connections: Arc::default(), most }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.connections.load(Relaxed) >= self.most
    }

    pub(crate) fn take(&self) -> Taken {
        self.connections.fetch_add(1, Relaxed);
        Taken(self.connections.clone())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Each request in flight may need a connection to an upstream, and so never more than each client.
fn most_connections(limit: usize, upstreams: usize) -> usize {
    let shared = limit - RESERVE.min(limit / 2);
    (shared - upstreams.min(shared / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::most_connections;

    #[test]
    fn descriptors_are_left_for_upstreams_and_a_reserve() {
        let limits = [0, 1, 64, 1024, 20_000];
        assert_eq!(limits.map(|limit| most_connections(limit, 1280)), [1, 1, 16, 448, 18_592]);
    }
}
