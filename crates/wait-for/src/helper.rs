//! What lifecycle must know of this helper.

use endpoint::url_label;
use lifecycle::{ConfigFile, Helper};

use crate::config::Config;

/// A task with a configuration file
pub const HELPER: Helper = Helper::task(Some(ConfigFile::of::<Config>(SCHEMA))).with_labels(&[("targets", url_label)]);

/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/wait-for.json");
