//! Why a request did not end well: the name stands in `error_type` of the metrics and in `error.type` of the access log.

use crate::refusal::Refusal;

/// A fault of a request
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The proxy answered itself
    Refused(Refusal),
    /// The upstream's answer broke off after its head
    AnswerCut,
    /// The answer took longer than `--request-timeout`
    AnswerTooSlow,
    /// The client went before the end of its answer
    ClientGone,
    /// The proxy gave up a request to the upstream, because the client had gone or its time was over
    GivenUp,
    /// No byte passed through a tunnel for `--tunnel-timeout`
    TunnelIdle,
    /// A tunnel was open at the deadline of a stop
    DrainDeadline,
    /// A tunnel was open when a new client had to prove something else than its client had
    SentAway,
}

impl Fault {
    /// Its name
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.name(),
            Self::AnswerCut => "answer-cut",
            Self::AnswerTooSlow => "answer-too-slow",
            Self::ClientGone => "client-gone",
            Self::GivenUp => "given-up",
            Self::TunnelIdle => "tunnel-idle",
            Self::DrainDeadline => "drain-deadline",
            Self::SentAway => "sent-away",
        }
    }
}
