//! The command line and the configuration file: what to read, how, and where to send it.

pub(crate) mod args;
pub(crate) mod attributes;
pub(crate) mod config;
pub(crate) mod destination;
mod entry;
pub(crate) mod input;
mod path_pattern;
pub(crate) mod plan;
pub(crate) mod selection;
