//! `--config FILE`: several volumes, each with a wanted state of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use crate::volume::Volume;

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

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

fn volumes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Volume>, D::Error> {
    let volumes = Vec::<Volume>::deserialize(deserializer)?;
    if !(1..=VOLUME_LIMIT).contains(&volumes.len()) {
        let count = volumes.len();
        return Err(D::Error::custom(format_args!("volumes has {count} entries: give from 1 to {VOLUME_LIMIT}")));
    }
    for volume in &volumes {
        if volume.path.as_os_str().is_empty() {
            return Err(D::Error::custom("path is empty: name the root of a tree"));
        }
        volume.check().map_err(|reason| D::Error::custom(format_args!("{}: {reason}", volume.path.display())))?;
    }
    Ok(volumes.iter().map(|volume| volume.at(&volume.path)).collect())
}
