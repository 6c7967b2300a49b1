//! The metrics of tunnels: how many are open, and the bytes through them.

use lifecycle::Lifecycle;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::telemetry::series::{self, Labels};

/// Of all listeners
#[derive(Clone)]
pub(super) struct Tunnels {
    open: IntGaugeVec,
    bytes: IntCounterVec,
}

/// Of one listener, found without a lookup of labels
pub(crate) struct TunnelsOfListener {
    pub(crate) open: IntGauge,
    /// Bytes to clients
    pub(crate) sent: IntCounter,
    /// Bytes from clients
    pub(crate) received: IntCounter,
}

impl Tunnels {
    pub(super) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let open =
            Opts::new("sidekit_proxy_tunnels", "Tunnels that are open: WebSockets and other upgraded connections");
        let bytes = Opts::new(
            "sidekit_proxy_tunnel_bytes_total",
            "Bytes through tunnels: sent to clients, or received from them",
        );
        let tunnels = Self {
            open: IntGaugeVec::new(open, &["listener"])?,
            bytes: IntCounterVec::new(bytes, &["listener", "direction"])?,
        };
        life.metrics().register(Box::new(tunnels.open.clone()))?;
        life.metrics().register(Box::new(tunnels.bytes.clone()))?;
        Ok(tunnels)
    }

    pub(super) fn of_listener(&self, listener: &str) -> TunnelsOfListener {
        let bytes = |direction| self.bytes.with_label_values(&[listener, direction]);
        TunnelsOfListener {
            open: self.open.with_label_values(&[listener]),
            sent: bytes("sent"),
            received: bytes("received"),
        }
    }

    /// Removes the series that have all these labels.
    pub(super) fn remove(&self, labels: &Labels) {
        series::remove(&self.open, labels);
        series::remove(&self.bytes, labels);
    }
}
