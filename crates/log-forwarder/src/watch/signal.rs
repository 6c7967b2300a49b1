//! The tail's news for the couriers and the saver.

/// The tail's news
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Changes when there may be something to read
    pub(crate) news: u64,
    pub(crate) stopping: bool,
    /// The end: nothing is left to do, or no time is left
    pub(crate) over: bool,
}
