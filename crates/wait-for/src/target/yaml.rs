//! A target in YAML: a URL, or a map of `url` and options.

use endpoint::Written;
use serde::{Deserialize, Deserializer};

use super::Target;

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(Self::parse, Self::with_options)
    }
}
