//! A target in YAML: a URL, or a map of `url` and options.

use endpoint::Written;
use serde::{Deserialize, Deserializer, de::Error};

use super::Target;

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let target = match Written::deserialize(deserializer)? {
            Written::Text(text) => Self::parse(&text),
            Written::Map { url, options } => Self::with_options(&url, options),
        };
        target.map_err(D::Error::custom)
    }
}
