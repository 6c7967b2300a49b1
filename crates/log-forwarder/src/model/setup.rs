//! How a forwarder of a history is started.

use std::time::Duration;

use crate::settings::selection::StartAt;

/// How a forwarder is started
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Files that may be open at once
    pub(super) budget: usize,
    pub(super) start_at: StartAt,
    pub(super) close_inactive: Option<Duration>,
    /// The lines of the first log are joined.
    pub(super) joins_lines: bool,
}

impl Setup {
    /// A setup for each combination of four bits
    pub(crate) fn of(bits: u8) -> Self {
        Self {
            budget: if bits & 1 == 0 { 100 } else { 2 },
            start_at: if bits & 2 == 0 { StartAt::Beginning } else { StartAt::End },
            close_inactive: (bits & 4 > 0).then_some(Duration::from_secs(1)),
            joins_lines: bits & 8 > 0,
        }
    }
}
