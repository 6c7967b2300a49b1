//! When to look at the files: events of directories, and intervals.

mod directories;
pub(crate) mod events;
mod inotify;
pub(crate) mod signal;
pub(crate) mod tail;
