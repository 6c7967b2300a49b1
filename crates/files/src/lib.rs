//! Writing to shared volumes: files that appear whole or not at all, sets of files that change together, locks,
//! and the version of a small file.
//!
//! Every call here may block for as long as the volume does. A caller on a runtime thread goes through
//! `lifecycle::on_volume` or a blocking task.

pub mod accounts;
mod comparison;
mod directory;
mod in_place;
mod leftovers;
mod lock;
mod permissions;
mod resolve;
mod set;
mod temporary;
mod version;

pub use directory::Directory;
pub use lock::Lock;
pub use permissions::Permissions;
pub use resolve::resolve;
pub use set::{Member, Set};
pub use version::Version;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
