//! Forwards log files on a shared volume to collectors, at least once, in order within a file, and nothing silently.
//!
//! The source files are the buffer: each output reads them at its own pace, one batch at a time, so memory is bounded by the
//! number of outputs and not by what is behind. Invariants: a batch is a contiguous range of one generation of a file; a
//! cursor moves only over what its output has acknowledged, or what the ledger names as rejected or lost; the
//! checkpoint holds nothing but cursors; a file is what its inode, its head and the bytes before the cursor say, not its name.

mod ages;
mod args;
mod attributes;
mod batch;
mod bystander;
mod catalog;
mod checkpoint;
mod closed;
mod config;
mod content;
mod copies;
mod courier;
mod couriers;
mod cursor;
mod dead_letters;
mod descriptors;
mod destination;
mod directories;
mod discovery;
mod encoding;
mod entry;
mod events;
mod format;
mod forward;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod generation;
mod helper;
mod identity;
mod input;
mod ledger;
mod moving;
mod opening;
mod outputs;
mod own_files;
mod plan;
mod pool;
mod reading;
mod record;
mod resume;
mod retry;
mod rotated_name;
mod rotation;
mod saver;
mod search;
mod settings;
mod severity;
mod sharing;
mod siblings;
mod state_lock;
mod tail;
mod timestamp;
mod unmatched;
mod unpacked;
mod volume;

pub use args::Args;
pub use config::schema;
pub use forward::run;
pub use helper::HELPER;
