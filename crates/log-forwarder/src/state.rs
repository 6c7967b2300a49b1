//! The state that a restart needs, and its directory.

mod bounded;
pub(crate) mod checkpoint;
mod entry;
pub(crate) mod resume;
pub(crate) mod saver;
mod snapshot;
pub(crate) mod state_lock;
mod stored_path;
