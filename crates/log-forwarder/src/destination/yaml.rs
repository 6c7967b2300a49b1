//! An output in YAML: a URL, or a map of `url` and options.

use std::borrow::Cow;

use endpoint::Written;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

use super::Destination;
use crate::outputs::{SCHEMES, Scheme};

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let destination = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse(),
            Written::Map { url, options } => Self::with_options(&url, options),
        };
        destination.map_err(D::Error::custom)
    }
}

impl JsonSchema for Destination {
    fn schema_name() -> Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = serde_json::json!({ "type": ["string", "integer", "boolean"] });
        let value = serde_json::json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
        let names = SCHEMES.iter().flat_map(Scheme::option_names);
        let mut properties: serde_json::Map<_, _> = names.map(|name| (name.to_owned(), value.clone())).collect();
        properties.insert("url".into(), serde_json::json!({ "type": "string" }));
        json_schema!({
            "description": "A URL with its options in the fragment, or a map of url and options",
            "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": properties, "required": ["url"], "additionalProperties": false },
            ],
        })
    }
}
