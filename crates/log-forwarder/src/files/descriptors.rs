//! How many files may be open at once, and how many more may be opened now.

use std::sync::Arc;

use lifecycle::{LogThrottle, descriptor_limit};
use tokio::sync::Notify;

use super::known::Key;

/// Descriptors that files of the inputs never get: the health listener and its connections (33 at most), those of the
/// outputs, the checkpoint, the events, and each file that is opened only to be looked at
const RESERVE: usize = 64;

/// The descriptors for files of the inputs
#[derive(Debug)]
pub(crate) struct Descriptors {
    /// Files of the inputs that are open at most
    pub(crate) budget: usize,
    /// Files with unread lines that have no descriptor
    pub(crate) waiting: usize,
    /// The key after that of the file that got a descriptor last, so that none is passed over
    pub(super) turn: Key,
    /// Notified when an output finds nothing to read while files wait
    pub(crate) asked: Arc<Notify>,
    pub(super) throttle: LogThrottle,
}

impl Descriptors {
    /// For this number of files
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, waiting: 0, turn: 0, asked: Arc::default(), throttle: LogThrottle::default() }
    }

    /// The part of this process's limit that is for files: all but the reserve, which is half of a small limit.
    pub(crate) fn of_process() -> Self {
        let limit = descriptor_limit();
        Self::new(limit - RESERVE.min(limit / 2))
    }
}
