//! An output in YAML: a URL, or a map of `url` and options.

use std::borrow::Cow;

use endpoint::{Written, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::Destination;
use crate::outputs::{SCHEMES, Scheme};

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(str::parse, Self::with_options)
    }
}

impl JsonSchema for Destination {
    fn schema_name() -> Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        written_schema(SCHEMES.iter().flat_map(Scheme::option_names))
    }
}
