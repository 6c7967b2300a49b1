//! The fault of a collector that gave no series in a round.

use std::io;

use crate::collect::collected::reason;

/// The reason why a collector gave no series in a round
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectFault {
    /// The reading missed the deadline; its later result is dropped.
    #[error("no answer before the scrape's deadline")]
    Late,
    /// A reading of an earlier round still hangs, and a second one would only hang too.
    #[error("has not answered an earlier scrape")]
    Hanging,
    #[error("a panic, which is a bug")]
    Panicked,
    /// A file that the collector needs could not be read; `file` is its path below the root.
    #[error("{file}: {error}")]
    Unreadable { file: &'static str, error: io::Error },
}

impl CollectFault {
    /// The value of the label `file`; empty for a fault of the collector as a whole.
    pub(crate) fn file(&self) -> &'static str {
        match self {
            Self::Unreadable { file, .. } => file,
            Self::Late | Self::Hanging | Self::Panicked => "",
        }
    }

    /// The value of the label `reason`, from a small fixed set.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Late => "timed out",
            Self::Hanging => "has not answered an earlier scrape",
            Self::Panicked => "panicked",
            Self::Unreadable { error, .. } => reason(error),
        }
    }
}
