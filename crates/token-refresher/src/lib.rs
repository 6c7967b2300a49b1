//! Keeps tokens and secrets fresh in files, and tells the app.
//!
//! Invariants: a file appears whole or not at all; a secret is refreshed by its own expiry; no request is repeated in a loop; no
//! secret is ever printed.

mod args;
mod config;
mod date;
mod exchange;
mod fetch_error;
mod fetched;
mod fields;
mod format;
mod given;
mod helper;
mod input;
mod json_pointer;
#[cfg_attr(not(test), expect(dead_code, reason = "for the sources of tokens"))]
mod life;
mod output;
mod plan;
mod refresh;
mod request_headers;
mod scrub;
mod secret_entry;
mod server;
mod source;
#[expect(dead_code, reason = "for the refresh of a secret")]
mod tell;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use refresh::run;
