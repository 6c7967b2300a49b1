//! Writing to shared volumes: files that appear whole or not at all, a lock on a directory, the version of a small file.
//!
//! Every call here may block for as long as the volume does. A caller on a runtime thread goes through
//! `lifecycle::on_volume` or a blocking task.

mod directory;
mod leftovers;
mod lock;
mod permissions;
mod temporary;
mod version;

pub use directory::Directory;
pub use lock::Lock;
pub use permissions::Permissions;
pub use version::Version;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
