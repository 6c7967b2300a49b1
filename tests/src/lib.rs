//! The ground of stories about whole pods: processes, ports, directories, clusters and real servers.
#![expect(clippy::missing_panics_doc, reason = "a panic here is how a test fails")]

pub mod cluster;
pub mod contained;
pub mod directory;
pub mod forwarder;
pub mod handshake;
pub mod load;
pub mod peers;
pub mod port;
pub mod process;
pub mod server;
pub mod web;
