//! The description of this helper for lifecycle.

use endpoint::url_label;
use lifecycle::{Completions, ConfigFile, Helper, OwnCommands};

use crate::{config::Config, lint::Question};

/// A sidecar with a configuration file and the command `lint`
pub const HELPER: Helper = Helper::sidecar(HEALTH_PORT, Some(ConfigFile::of::<Config>(SCHEMA)))
    .with_nothing_to_deliver()
    .with_labels(&[("scrape", url_label)])
    .with_commands(OwnCommands::of::<Question>())
    .with_completions(COMPLETIONS);

/// The default port of `--health-addr`. Each helper has another one, because they share the pod's network.
const HEALTH_PORT: u16 = 9474;
/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/metrics-exporter.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/metrics-exporter.bash"),
    zsh: include_str!("../../../docs/completions/_metrics-exporter"),
    fish: include_str!("../../../docs/completions/metrics-exporter.fish"),
};
