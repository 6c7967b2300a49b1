//! The bounds that are counted when they are met.

use crate::{refusal::Refusal, tls::outcome::Outcome};

/// A bound; its name is that of the flag that sets it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Connections,
    Requests,
    /// In bytes or lines
    HeaderSize,
    Body,
    Handshakes,
    HandshakeTimeout,
    HeaderTimeout,
    IdleTimeout,
    BodyRate,
    RequestTimeout,
    TunnelTimeout,
}

impl Limit {
    /// All of them, in the order of their declaration
    pub(crate) const ALL: [Self; 11] = [
        Self::Connections,
        Self::Requests,
        Self::HeaderSize,
        Self::Body,
        Self::Handshakes,
        Self::HandshakeTimeout,
        Self::HeaderTimeout,
        Self::IdleTimeout,
        Self::BodyRate,
        Self::RequestTimeout,
        Self::TunnelTimeout,
    ];

    /// Its name
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connections => "max-connections",
            Self::Requests => "max-requests",
            Self::HeaderSize => "max-header-size",
            Self::Body => "max-body",
            Self::Handshakes => "max-handshakes",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::HeaderTimeout => "header-timeout",
            Self::IdleTimeout => "idle-timeout",
            Self::BodyRate => "min-body-rate",
            Self::RequestTimeout => "request-timeout",
            Self::TunnelTimeout => "tunnel-timeout",
        }
    }

    /// The bound that a refusal is about. A slow body has met one of two, so its place says which.
    pub(crate) fn of(refusal: Refusal) -> Option<Self> {
        match refusal {
            Refusal::TooManyRequests => Some(Self::Requests),
            Refusal::HeadTooLarge => Some(Self::HeaderSize),
            Refusal::SlowHead => Some(Self::HeaderTimeout),
            Refusal::BodyTooLarge => Some(Self::Body),
            Refusal::UpstreamSilent => Some(Self::RequestTimeout),
            _ => None,
        }
    }

    /// The bound that ended a handshake, or made it wait
    pub(crate) fn of_handshake(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::TimedOut => Some(Self::HandshakeTimeout),
            Outcome::Crowded => Some(Self::Handshakes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_order() {
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place, "{limit:?}");
        }
    }
}
