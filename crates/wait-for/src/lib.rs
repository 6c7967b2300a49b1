//! Waits until every target is truly ready, then exits 0 or becomes the app.
//!
//! Invariants: a target is ready only when it has proved it in its own protocol; each attempt looks
//! names up again, ends within its deadline and closes its connection; no credential is ever
//! printed.

mod args;
mod board;
mod check;
mod config;
mod foreign;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod heard;
mod helper;
mod hosts;
mod http_error;
mod kinds;
mod lines;
mod network;
mod not_ready;
mod pace;
mod proxy;
mod random;
mod row;
mod rsa_oaep;
mod schemes;
mod scram;
mod srv;
mod stage;
mod summary;
mod table;
mod target;
mod tls_hint;
mod wait;
mod web;
mod wire;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use wait::run;
