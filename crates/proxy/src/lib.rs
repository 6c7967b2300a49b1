//! A reverse proxy beside the app, for HTTP/1.1, HTTP/2 and gRPC, with TLS: strict about requests, and without an error
//! through every rollout.
//!
//! Invariants: the proxy forwards a request only after it has judged the head, and writes a new head; it is sent a second time only where
//! it provably was not sent, or may be repeated and nothing of its answer has come; a worker shares nothing with another but
//! counters; every queue, body, header and wait has a bound.

mod access_log;
mod args;
mod client;
mod client_auth;
mod config;
mod context;
mod direction;
mod event_stream;
mod frames;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod grpc;
mod head;
mod helper;
mod limits;
mod listener;
mod listener_address;
mod peer;
mod plan;
mod recent_lines;
mod refusal;
mod request_body;
mod rewrite;
mod route;
mod serve;
mod telemetry;
mod tls;
mod transport;
mod tunnel;
mod upstream;
mod websocket;
mod workers;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use serve::run;
