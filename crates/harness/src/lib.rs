//! A helper's binary under test, as a pod runs it: its log, its listeners, its signals, its end, its terminal.
//!
//! For tests only, so every failure is a panic that names the state that was waited for.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod at_once;
mod certificates;
mod command;
mod config;
mod ended;
mod fifo;
mod full_pipe;
pub mod http;
mod http_server;
mod hung_mount;
mod line;
mod memory_cgroup;
mod namespace;
mod program;
mod signal;
mod snapshot;
mod terminal;
mod termination_log;
mod until;
mod variable;

pub use at_once::assert_at_once;
pub use certificates::{Authority, Identity};
pub use command::command;
pub use config::{config_file, config_refusal};
pub use ended::Ended;
pub use fifo::fifo;
pub use full_pipe::{fill_pipe, full_pipe};
pub use http_server::{Asked, HttpServer, Reply};
pub use hung_mount::HungMount;
pub use line::Line;
pub use memory_cgroup::MemoryCgroup;
pub use namespace::{
    as_pid_one, id_of_pid_one, is_root, set_loopback, start_as_pid_one, unshare, with_own_mounts, with_own_namespaces,
};
pub use program::Program;
pub use signal::{Signal, send, try_send, wait_until_caught};
pub use snapshot::{assert_snapshot, assert_summary, assert_usage_error};
pub use terminal::Terminal;
pub use termination_log::{TerminationLog, UNTOUCHED, end_with_message};
pub use until::{DEADLINE, until};

/// The example in the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
