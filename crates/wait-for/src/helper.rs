//! What lifecycle must know of this helper.

use lifecycle::{Completions, ConfigFile, Helper};

use crate::{config::Config, summary::summary, target};

/// A task with a configuration file
pub const HELPER: Helper = Helper::task(Some(ConfigFile::of::<Config>(SCHEMA)))
    .with_labels(&[("targets", target::label)])
    .with_completions(COMPLETIONS)
    .with_summary(summary);

/// Written by `cargo xtask docs`
const SCHEMA: &str = include_str!("../../../docs/schema/wait-for.json");
/// Written by `cargo xtask docs`
const COMPLETIONS: Completions = Completions {
    bash: include_str!("../../../docs/completions/wait-for.bash"),
    zsh: include_str!("../../../docs/completions/_wait-for"),
    fish: include_str!("../../../docs/completions/wait-for.fish"),
};
