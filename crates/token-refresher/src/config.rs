//! `--config FILE`: secrets, each with its source and its outputs, as YAML.

use std::path::{Path, PathBuf};

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{args::Args, plan::Plan, secret_entry::SecretEntry};

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is kept fresh
    #[schemars(length(min = 1, max = 100))]
    pub(crate) secrets: Vec<SecretEntry>,
}

impl Configuration for Config {
    type Args = Args;

    fn judge(&self, _: &Args) -> Vec<Misfit> {
        Plan::of(&self.secrets).err().unwrap_or_default()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.secrets.iter().flat_map(|secret| secret.source.files()).map(Path::to_owned).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}
