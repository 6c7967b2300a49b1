//! Forwards log files on a shared volume to collectors, at least once, in order within a file, and
//! nothing silently.
//!
//! The source files are the buffer: each output reads them at its own pace, one batch at a time, so
//! that memory is bounded by the number of outputs and not by the bytes that they lack. Invariants:
//! - A batch is a list of spans; a span is a contiguous range of one content of one file.
//! - A cursor moves only over bytes that its output has acknowledged, or that the ledger names as
//!   rejected, dropped or lost, and over bytes that are no lines for its output: holes, byte order
//!   marks, lines before the place where `--start-at end` begins, and a compressed file whose lines
//!   come from another file.
//! - The checkpoint holds cursors, and the marks by which files and names are known again; it holds
//!   no line.
//! - A file is known by its inode, its head and the bytes before the cursors, never by its name.

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
#[cfg(test)]
mod log_lines;
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
