//! `--config FILE`: the same inputs and outputs as YAML, each input with a treatment of its own.

use std::path::PathBuf;

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{args::Args, destination::Destination, entry::Entry, plan::Plan};

/// The content of a configuration file
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Files to follow, in addition to those of --input
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) inputs: Vec<Entry>,
    /// More outputs, in addition to those of --output
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) outputs: Vec<Destination>,
}

impl Configuration for Config {
    type Args = Args;

    /// With a file, `judge` sees the flags together with it.
    fn judge_args(args: &Args) -> Result<(), String> {
        let misfits = if args.config.is_none() { Plan::of(args, &[], &[]).err() } else { None };
        let messages: Vec<_> = misfits.into_iter().flatten().map(|misfit| misfit.message).collect();
        if messages.is_empty() { Ok(()) } else { Err(messages.join("; ")) }
    }

    fn judge(&self, args: &Args) -> Vec<Misfit> {
        Plan::of(args, &self.inputs, &self.outputs).err().unwrap_or_default()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.outputs.iter().flat_map(Destination::files).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}
