//! The facts that lifecycle needs about this helper.

use endpoint::url_label;
use lifecycle::{Completions, ConfigFile, Helper, OwnCommands};

use crate::{
    filters::redact_label,
    settings::{attributes::field_label, config::Config},
    trial::Question,
};

/// A sidecar with a configuration file and the command `try`
pub const HELPER: Helper = Helper::sidecar(HEALTH_PORT, Some(ConfigFile::of::<Config>(SCHEMA)))
    .with_labels(&[("outputs", url_label), ("fields", field_label), ("redact", redact_label)])
    .with_commands(OwnCommands::of::<Question>())
    .with_completions(COMPLETIONS);

/// The default of `--health-addr`; no two helpers have the same
const HEALTH_PORT: u16 = 9472;
/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/log-forwarder.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/log-forwarder.bash"),
    zsh: include_str!("../../../docs/completions/_log-forwarder"),
    fish: include_str!("../../../docs/completions/log-forwarder.fish"),
};
