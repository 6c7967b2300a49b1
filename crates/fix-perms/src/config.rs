//! `--config FILE`: several volumes, each with a wanted state of its own.

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use crate::{args::Args, volume::Volume};

/// A pod with more mounts than this has another problem.
const VOLUME_LIMIT: usize = 100;

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The trees, set right one after another
    #[serde(deserialize_with = "volumes")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) volumes: Vec<Volume>,
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        args.check()?;
        args.paths().try_for_each(|path| args.volume.at(path).check())
    }

    fn judge(&self, _: &Args) -> Vec<Misfit> {
        let misfit = |(index, volume): (usize, &Volume)| {
            let at = format!("volumes.{index}");
            if volume.path.as_os_str().is_empty() {
                return Some(Misfit { at, message: "path is empty: name the root of a tree".into() });
            }
            let reason = volume.check().err()?;
            Some(Misfit { at, message: format!("{}: {reason}", volume.path.display()) })
        };
        self.volumes.iter().enumerate().filter_map(misfit).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

fn volumes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Volume>, D::Error> {
    let volumes = Option::<Vec<Volume>>::deserialize(deserializer)?.unwrap_or_default();
    if !(1..=VOLUME_LIMIT).contains(&volumes.len()) {
        let count = volumes.len();
        return Err(D::Error::custom(format_args!("volumes has {count} entries: give from 1 to {VOLUME_LIMIT}")));
    }
    Ok(volumes.iter().map(|volume| volume.at(&volume.path)).collect())
}
