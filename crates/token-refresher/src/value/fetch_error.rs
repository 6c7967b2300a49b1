//! Why a source gave no value.

use std::time::Duration;

use lifecycle::Exit;

/// Why a source gave no value. No text holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The server knows who asks, and says no.
    #[error("{0}")]
    Refused(String),
    /// The server cannot be reached, or cannot answer now; it may have said when to ask again.
    #[error("{reason}")]
    Unavailable { reason: String, retry_after: Option<Duration> },
    /// The answer cannot be right.
    #[error("{0}")]
    BadAnswer(String),
    /// A file, variable or other secret that the request needs cannot be read now.
    #[error("{0}")]
    Input(String),
    /// A variable that the request needs is not set, and never will be in this process.
    #[error("{0}")]
    Unset(String),
}

impl FetchError {
    /// The label `reason` in metrics
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::BadAnswer(_) => "bad_answer",
            Self::Input(_) | Self::Unset(_) => "input",
        }
    }

    /// The exit code of a task that ends for this reason
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Denied,
            Self::Unavailable { .. } => Exit::Unavailable,
            Self::BadAnswer(_) => Exit::Data,
            Self::Input(_) => Exit::Io,
            Self::Unset(_) => Exit::Config,
        }
    }

    /// Whether another try gives the same answer, so that a task ends.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::BadAnswer(_) | Self::Unset(_))
    }

    /// When the server wants to be asked again
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
