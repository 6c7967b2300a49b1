//! The state that a restart needs, and its directory.

mod bounded;
pub(crate) mod checkpoint;
pub(crate) mod resume;
pub(crate) mod saver;
pub(crate) mod state_lock;
mod stored_path;
