//! Keeps tokens and secrets fresh in files, and tells the app.
//!
//! Invariants: a file appears whole or not at all; a secret is refreshed by its own expiry; no request is repeated in a loop; no
//! secret is ever printed.

mod adopt;
mod args;
mod bounded_json;
mod clock;
mod config;
mod date;
mod decision;
mod exchange;
mod fetch_error;
mod fetched;
mod fields;
mod format;
mod given;
mod helper;
mod input;
mod json_pointer;
mod life;
mod output;
mod plan;
mod refresh;
mod refresher;
mod refreshers;
mod report;
mod request_headers;
mod schedule;
mod scrub;
mod secret_entry;
mod secret_state;
mod server;
mod source;
mod store;
mod tell;
mod write_state;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use refresh::run;
