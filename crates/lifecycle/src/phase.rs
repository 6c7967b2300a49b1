//! The phase that a helper's life is in, as its job sees it.

use std::time::Instant;

use crate::exit::Exit;

/// The phase that a helper's life is in
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Doing its work
    Running,
    /// Unready, but serving until the stop
    Draining {
        /// When the helper became unready
        since: Instant,
    },
    /// Asked to stop
    Stopping(Stopping),
}

/// A stop that was asked for
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// The exit that a helper of this kind owes for the stop
    pub(crate) exit: Exit,
    /// The stop signal's arrival, from which the deadline counts
    pub(crate) since: Instant,
    /// When the helper became unready: at the stop signal, or before it at a drain
    pub(crate) unready_since: Instant,
}

impl Phase {
    pub(crate) fn is_stopping(self) -> bool {
        matches!(self, Self::Stopping(_))
    }
}
