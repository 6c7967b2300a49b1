//! A helper's binary under test, as a pod meets it: its log line by line, its signals, its end, its terminal.
//!
//! For tests alone, so what goes wrong is a panic that says what was waited for.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod certificates;
mod config;
mod namespace;
mod program;
mod snapshot;
mod terminal;
mod until;

pub use certificates::Authority;
pub use config::{config_file, config_refusal};
pub use namespace::{id_of_pid_one, is_root, start_as_pid_one, unshare, with_own_mounts};
pub use program::{Ended, Program, send};
pub use rustix::process::Signal;
pub use snapshot::{assert_snapshot, assert_usage_error};
pub use terminal::Terminal;
pub use until::{DEADLINE, until};
