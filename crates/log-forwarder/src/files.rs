//! The files that are followed, and how far each output has come in them.

pub(crate) mod ages;
pub(crate) mod bystander;
pub(crate) mod catalog;
pub(crate) mod closed;
pub(crate) mod copies;
pub(crate) mod cursor;
pub(crate) mod descriptors;
pub(crate) mod discovery;
pub(crate) mod generation;
pub(crate) mod ledger;
pub(crate) mod moving;
pub(crate) mod policy;
pub(crate) mod reading;
pub(crate) mod resume;
pub(crate) mod rotated_name;
pub(crate) mod rotation;
pub(crate) mod search;
pub(crate) mod sharing;
pub(crate) mod siblings;
pub(crate) mod unmatched;
