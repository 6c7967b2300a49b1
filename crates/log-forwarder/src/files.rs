//! The files that are followed, and how far each output has come in them.
//!
//! A look asks the system about a known file; [`observe`] says what the answer means, [`decide`] what becomes of the file, and
//! [`FileSet::apply`](set::FileSet::apply) does it and keeps the books. A [scan](scan) does the same for names.

pub(crate) mod ages;
mod aside;
mod complaints;
mod copied;
pub(crate) mod cursor;
mod decide;
pub(crate) mod descriptors;
#[cfg(test)]
mod example;
mod fate;
mod finding;
pub(crate) mod follower;
mod growth;
pub(crate) mod known;
mod lag;
pub(crate) mod ledger;
pub(crate) mod listings;
mod look;
mod loss;
pub(crate) mod names;
mod observe;
mod place;
pub(crate) mod reading;
mod resumed;
mod scan;
mod selecting;
pub(crate) mod set;
mod sharing;
mod sight;
pub(crate) mod trust;
mod unmatched;
