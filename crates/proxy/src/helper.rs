//! The description of this helper for lifecycle.

mod explain;

use std::time::Duration;

use endpoint::url_label;
use lifecycle::{Completions, ConfigFile, Helper, OwnCommands};

use self::explain::Question;
use crate::config::Config;

/// A sidecar with a configuration file
pub const HELPER: Helper = Helper::sidecar(HEALTH_PORT, Some(ConfigFile::of::<Config>(SCHEMA)))
    .with_drain_delay(DRAIN_DELAY)
    .with_labels(&[("listen", str::to_owned), ("upstream", url_label)])
    .with_commands(OwnCommands::of::<Question>())
    .with_completions(COMPLETIONS);

/// Endpoints and load balancers need a moment to learn that the pod goes.
const DRAIN_DELAY: Duration = Duration::from_secs(5);
/// The default of `--health-addr`; no two helpers have the same
const HEALTH_PORT: u16 = 9471;
/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/proxy.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/proxy.bash"),
    zsh: include_str!("../../../docs/completions/_proxy"),
    fish: include_str!("../../../docs/completions/proxy.fish"),
};
