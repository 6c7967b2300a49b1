//! Forwards log files on a shared volume to collectors, at least once, in order within a file, and nothing silently.
//!
//! The source files are the buffer: each output reads them at its own pace, one batch at a time, so memory is bounded by the
//! number of outputs and not by what is behind. Invariants: a batch is a contiguous range of one generation of a file; a
//! cursor moves only over what its output has acknowledged, or what the ledger names as rejected, dropped or lost; the
//! checkpoint holds nothing but cursors; a file is what its inode, its head and the bytes before the cursor say, not its name.

mod content;
mod delivery;
mod files;
mod filters;
mod format;
mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod heap;
mod helper;
#[cfg(any(test, fuzzing))]
mod model;
mod outputs;
mod own_files;
mod records;
mod settings;
mod state;
mod trial;
mod volume;
mod watch;

pub use forward::run;
pub use heap::share_heap;
pub use helper::HELPER;
pub use settings::{args::Args, config::schema};
