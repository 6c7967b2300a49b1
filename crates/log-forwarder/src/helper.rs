//! What lifecycle must know of this helper.

use lifecycle::{ConfigFile, Helper};

use crate::config::Config;

/// A sidecar with a configuration file
pub const HELPER: Helper = Helper::sidecar(HEALTH_PORT, Some(ConfigFile::of::<Config>(SCHEMA)));

/// The default of `--health-addr`; no two helpers have the same
const HEALTH_PORT: u16 = 9472;
/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/log-forwarder.json");
