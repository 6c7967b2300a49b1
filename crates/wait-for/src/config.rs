//! `--config FILE`: the same targets as YAML.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use crate::{options::Options, schemes::SCHEMES, target::Target};

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to wait for, besides the targets of the command line
    pub(crate) targets: Vec<Target>,
}

/// A URL with its options in the fragment, or a map of `url` and options.
impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetVisitor)
    }
}

struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a URL such as tcp://db:5432, or a map of url and options")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
        Target::parse(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
        let mut url: Option<String> = None;
        let mut options = Options::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "url" {
                url = Some(map.next_value()?);
                continue;
            }
            for value in map.next_value::<OneOrMany>()?.into_texts() {
                options.push(key.clone(), value);
            }
        }
        let url = url.ok_or_else(|| A::Error::missing_field("url"))?;
        if url.contains('#') {
            return Err(A::Error::custom("options stand beside url here, not in its fragment"));
        }
        Target::with_options(&url, options).map_err(A::Error::custom)
    }
}

/// The value of an option: a scalar, or several of an option that may be repeated
#[derive(Deserialize)]
#[serde(untagged, expecting = "an option is a text, a whole number, true, false, or a list of those")]
enum OneOrMany {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Switch(bool),
    Number(i64),
    Text(String),
}

impl OneOrMany {
    fn into_texts(self) -> Vec<String> {
        let many = match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        };
        many.into_iter()
            .map(|scalar| match scalar {
                Scalar::Switch(on) => on.to_string(),
                Scalar::Number(number) => number.to_string(),
                Scalar::Text(text) => text,
            })
            .collect()
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<_> = SCHEMES.iter().flat_map(crate::schemes::Scheme::all_options).collect();
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
