//! Keeps tokens and secrets fresh in files, and tells the app.
//!
//! Invariants: a file appears whole or not at all; a secret is refreshed by its own expiry; no request is repeated in a loop; no
//! secret is ever printed.

mod adopt;
mod args;
mod config;
mod exchange;
mod format;
mod helper;
mod output;
mod refresh;
mod refresher;
mod refreshers;
mod report;
mod schedule;
mod secret_entry;
mod source;
mod tell;
mod value;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use refresh::run;
