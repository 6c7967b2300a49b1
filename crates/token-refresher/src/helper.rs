//! What lifecycle must know of this helper.

mod explain;

use lifecycle::{Completions, ConfigFile, Helper, OwnCommands};

use self::explain::Question;
use crate::config::Config;

/// A sidecar with a configuration file
pub const HELPER: Helper = Helper::sidecar(HEALTH_PORT, Some(ConfigFile::of::<Config>(SCHEMA)))
    .with_once("once")
    .with_hardening()
    .with_commands(OwnCommands::of::<Question>())
    .with_completions(COMPLETIONS);

/// The default of `--health-addr`; no two helpers have the same
const HEALTH_PORT: u16 = 9473;
/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/token-refresher.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/token-refresher.bash"),
    zsh: include_str!("../../../docs/completions/_token-refresher"),
    fish: include_str!("../../../docs/completions/token-refresher.fish"),
};
