//! What stories of whole pods stand on: processes, ports, directories, certificates, and real servers.
#![expect(clippy::missing_panics_doc, reason = "a panic here is how a test fails")]

pub mod certificates;
pub mod cluster;
pub mod contained;
pub mod directory;
pub mod forwarder;
pub mod peers;
pub mod port;
pub mod process;
pub mod server;
pub mod until;
pub mod web;
