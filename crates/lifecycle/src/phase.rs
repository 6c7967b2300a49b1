//! The phase that a helper's life is in, as its job sees it.

use std::time::Instant;

use crate::exit::Exit;

/// The phase that a helper's life is in
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Doing its work
    Running,
    /// Unready, but serving until the stop
    Draining,
    /// Asked to stop
    Stopping {
        /// The exit that a helper of this kind owes for the stop
        exit: Exit,
        /// The stop signal's arrival, from which all delays count
        since: Instant,
    },
}

impl Phase {
    pub(crate) fn is_stopping(self) -> bool {
        matches!(self, Self::Stopping { .. })
    }
}
