//! Sets owner and mode on volumes, safely and fast, then exits 0 or becomes the app.
//!
//! Invariants: an entry is looked at first and touched only if it is wrong; what is changed is
//! pinned by a descriptor, looked at again through it and changed through it, never by a path; the
//! root of a tree is changed last, and only if all below it is right; descriptors have a bound that
//! no tree moves, and memory grows with the depth of a tree alone.

mod accounts;
mod args;
mod capabilities;
mod config;
mod difference;
mod directory;
mod exclude;
mod fchmodat2;
mod filesystem;
mod fix;
mod fixer;
mod helper;
mod id_maps;
mod ignored;
mod ledger;
mod links;
mod mounts;
mod paths;
mod progress;
mod refusal;
mod report;
mod root;
mod sample;
mod selinux;
mod stamp;
mod stat;
mod summary;
mod trail;
mod tree;
mod visitor;
mod volume;
mod walk;
mod wanted;

pub use args::Args;
pub use config::schema;
pub use fix::run;
pub use helper::HELPER;
