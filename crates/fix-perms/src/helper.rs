//! What lifecycle must know of this helper.

use lifecycle::{Completions, ConfigFile, Helper};

use crate::{config::Config, summary::summary};

/// A task with a configuration file
pub const HELPER: Helper =
    Helper::task(Some(ConfigFile::of::<Config>(SCHEMA))).with_completions(COMPLETIONS).with_summary(summary);

/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/fix-perms.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/fix-perms.bash"),
    zsh: include_str!("../../../docs/completions/_fix-perms"),
    fish: include_str!("../../../docs/completions/fix-perms.fish"),
};
