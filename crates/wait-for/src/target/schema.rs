//! A target in the JSON Schema of a configuration file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Target;
use crate::schemes::{SCHEMES, Scheme};

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<_> = SCHEMES.iter().flat_map(Scheme::all_options).collect();
        names.sort_unstable();
        names.dedup();
        let scalar = serde_json::json!({ "type": ["string", "integer", "boolean"] });
        let value = serde_json::json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
        let mut properties: serde_json::Map<_, _> =
            names.into_iter().map(|name| (name.to_owned(), value.clone())).collect();
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
