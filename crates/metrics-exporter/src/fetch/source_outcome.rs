//! The outcome of one source in one round.

use std::time::Duration;

use crate::fetch::fetch_fault::FetchFault;

/// The outcome of one source in one round
#[derive(Clone, Debug)]
pub(crate) struct SourceOutcome {
    pub(crate) name: String,
    /// The source's URL without secrets
    pub(crate) label: String,
    /// The reason why the source has no series on the page; `None` when it has
    pub(crate) fault: Option<FetchFault>,
    pub(crate) duration: Duration,
    pub(crate) bytes: usize,
    pub(crate) series: usize,
}
