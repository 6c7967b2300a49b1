//! `--config FILE`: the same targets as YAML.

use std::path::PathBuf;

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use crate::{args::Args, target::Target};

/// Targets of a file; each takes a socket and a line of the summary.
const TARGET_LIMIT: usize = 1000;

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with the key targets")]
pub(crate) struct Config {
    /// More targets, in addition to those of the command line
    #[serde(deserialize_with = "targets")]
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) targets: Vec<Target>,
}

impl Configuration for Config {
    type Args = Args;

    /// Targets do not depend on each other or on flags.
    fn judge(&self, _: &Args) -> Vec<Misfit> {
        Vec::new()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.targets.iter().flat_map(|target| target.files.clone()).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    let targets = Option::<Vec<Target>>::deserialize(deserializer)?.unwrap_or_default();
    match targets.len() {
        0 => Err(D::Error::custom("no targets: name one, such as tcp://db:5432")),
        1..=TARGET_LIMIT => Ok(targets),
        _ => Err(D::Error::custom(format_args!("at most {TARGET_LIMIT} targets"))),
    }
}
