//! How a helper lives: exit codes, signals, health, stopping, logs and settings.
//!
//! Six small helpers stand beside apps in pods. This crate holds what they share, so that a user who knows one
//! knows all. It knows no helper and no helper's protocol. A helper is [`main`] with its own arguments and its job:
//!
//! ```no_run
//! #[derive(Debug, clap::Parser)]
//! #[command(name = "example", version)]
//! struct Args {}
//!
//! fn main() -> std::process::ExitCode {
//!     let helper = lifecycle::Helper::task(None);
//!     lifecycle::main(helper, async |_args: Args, life| {
//!         tokio::select! {
//!             exit = life.stop_requested() => Ok(exit.into()),
//!             () = std::future::ready(()) => Ok(lifecycle::Exit::Done.into()),
//!         }
//!     })
//! }
//! ```

mod admin;
mod answer;
mod app_exit_watch;
mod args;
mod backoff;
mod bind;
mod bounded;
mod color;
mod command;
mod completions;
pub mod config;
mod descriptors;
mod event;
mod exit;
mod file_watch;
mod files;
mod finding;
mod hardening;
mod health;
mod heartbeat;
mod helper;
mod io_text;
mod job;
mod lines;
mod listen_address;
mod listener;
mod log;
mod log_line;
mod log_throttle;
mod metrics;
mod own_command;
mod pages;
mod panics;
mod phase;
mod probe;
mod process;
mod process_metrics;
mod process_search;
pub mod reload;
mod run;
mod secret;
mod settings;
mod sidecar;
mod sidecar_flags;
mod signal;
mod signals;
mod start_line;
mod stderr;
mod stop;
mod test_life;
mod units;
mod usage;
mod variables;
mod visit;
mod volume;
mod yaml;

pub use backoff::Backoff;
pub use bind::bind_shared;
pub use color::{Paint, painted};
pub use completions::Completions;
pub use config::{ConfigFile, Configuration, Misfit};
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use exit::{End, Exit, Row, TABLE, User};
pub use file_watch::FileWatch;
pub use files::{read as read_text, read_bytes};
pub use health::{Hold, Pending};
pub use heartbeat::Heartbeat;
pub use helper::Helper;
pub use io_text::io_text;
pub use job::Lifecycle;
pub use lines::{Lines, LinesParser};
pub use listen_address::ListenAddress;
pub use log_line::timestamp;
pub use log_throttle::LogThrottle;
pub use metrics::{SharedMetric, shared_metrics};
pub use own_command::{OwnCommand, OwnCommands};
pub use process::{Process, process_ids, sees_only_itself};
pub use run::main;
pub use secret::Secret;

pub use signal::Signal;
pub use start_line::Labels;
pub use stderr::draw;
pub use test_life::TestLife;
pub use units::{duration, elapsed, format_duration, size};
pub use variables::{is_name, nearest, variable};
pub use volume::{on_volume, on_volume_in_turn};

/// The README's examples are tests
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
