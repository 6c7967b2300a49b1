//! The protocols that clients speak: their handshakes, and their requests by the version of HTTP.

use http::Version;
use prometheus::{IntCounter, IntCounterVec};

use super::counters;
use crate::tls::outcome::Outcome;

/// Versions of HTTP, as OpenTelemetry has them in `network.protocol.version`
const HTTP: [(Version, &str); 3] = [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2")];

/// The metrics of all listeners
#[derive(Clone)]
pub(super) struct Protocols {
    pub(super) handshakes: IntCounterVec,
    pub(super) requests: IntCounterVec,
}

/// Those of one listener
pub(super) struct OfListener {
    /// By the place in `Outcome::ALL`, and then by the version; none without TLS
    handshakes: Vec<Vec<IntCounter>>,
    /// By the place in `HTTP`
    requests: [IntCounter; 3],
}

impl Protocols {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            handshakes: counters(
                "sidekit_proxy_tls_handshakes_total",
                "TLS handshakes with clients, by their end, and by the version of TLS where it was agreed on",
                &["listener", "outcome", "tls_protocol_version"],
            )?,
            requests: counters(
                "sidekit_proxy_requests_total",
                "Requests of clients whose head was read, by the version of HTTP",
                &["listener", "network_protocol_version"],
            )?,
        })
    }

    pub(super) fn of_listener(&self, listener: &str, has_tls: bool) -> OfListener {
        let of_outcome = |outcome: &Outcome| {
            let of_version = |version| self.handshakes.with_label_values(&[listener, outcome.name(), version]);
            outcome.tls_versions().iter().map(|version| of_version(version)).collect()
        };
        OfListener {
            handshakes: if has_tls { Outcome::ALL.iter().map(of_outcome).collect() } else { Vec::new() },
            requests: HTTP.map(|(_, version)| self.requests.with_label_values(&[listener, version])),
        }
    }
}

impl OfListener {
    /// A handshake has ended, with this version of TLS where it succeeded.
    pub(super) fn shook_hands(&self, outcome: Outcome, version: Option<&str>) {
        let place = outcome.tls_versions().iter().position(|known| version == Some(known)).unwrap_or_default();
        if let Some(counter) = self.handshakes.get(outcome as usize).and_then(|counters| counters.get(place)) {
            counter.inc();
        }
    }

    /// A client has sent the head of a request.
    pub(super) fn asked(&self, version: Version) {
        if let Some(place) = HTTP.iter().position(|(known, _)| *known == version) {
            self.requests[place].inc();
        }
    }
}
