//! The images and the compose files on a Docker engine; `make test-cluster` starts one and runs this.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod archive;
mod become_the_app;
mod builders;
mod certificates;
mod container;
mod contents;
mod ends;
mod engine;
mod health;
mod image;
mod log_forwarder;
mod main_app;
mod metrics_exporter;
mod names;
mod network;
mod project;
mod proxy;
mod reproducible;
mod starts;
mod token_refresher;
