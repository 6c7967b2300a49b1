//! `--config FILE`: secrets, each with its source and its outputs, as YAML.

pub(crate) mod plan;

use std::path::{Path, PathBuf};

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{args::Args, config::plan::Plan, report::status, secret_entry::SecretEntry, tell::way::Way};

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is kept fresh
    #[serde(deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) secrets: Vec<SecretEntry>,
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        if args.state_dir.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err("--state-dir needs an absolute path".into());
        }
        args.status_file.as_deref().map_or(Ok(()), status::judge).map_err(str::to_owned)
    }

    fn judge(&self, _: &Args) -> Vec<Misfit> {
        Plan::of(&self.secrets).err().unwrap_or_default()
    }

    fn files(&self) -> Vec<PathBuf> {
        let of_sources = self.secrets.iter().flat_map(|secret| secret.source.files()).map(Path::to_owned);
        let ways = self.secrets.iter().flat_map(|secret| &secret.tell).filter_map(|tell| Way::of(tell).ok());
        of_sources.chain(ways.flat_map(|way| way.files())).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}
