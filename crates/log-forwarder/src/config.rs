//! `--config FILE`: the same inputs and outputs as YAML, each input with a treatment of its own.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use endpoint::Options;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    args::Args,
    attributes::{self, StaticField},
    destination::Destination,
    format::{Charset, Format, FormatFlags, Multiline, Parser},
    input::{Input, Treatment},
    outputs::SCHEMES,
};

/// Entries of a list; each input is looked for, and each output has a courier.
const ENTRY_LIMIT: usize = 100;

/// The content of a configuration file
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Files to follow, besides those of --input
    #[serde(default, deserialize_with = "inputs")]
    #[schemars(length(max = 100))]
    pub(crate) inputs: Vec<Entry>,
    /// Where lines go, besides --output
    #[serde(default, deserialize_with = "bounded")]
    #[schemars(length(max = 100))]
    pub(crate) outputs: Vec<Destination>,
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

/// Files to follow, and how they are read
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Follow the files with names like this, such as /var/log/nginx/*.log
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "String")]
    path: Input,
    /// What a line holds: raw, json, logfmt, cri, nginx or regex:PATTERN
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    format: Option<Parser>,
    /// Join the lines of a stack trace: java, python, go, rust, or a pattern that is found in a first line
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    multiline: Option<Multiline>,
    /// The characters of the files, by a name that web browsers know
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    encoding: Option<Charset>,
    /// What each of their records carries besides
    #[serde(default, deserialize_with = "static_fields")]
    #[schemars(with = "BTreeMap<String, String>")]
    fields: Vec<StaticField>,
}

impl Entry {
    /// What is not said here is as the flags say. An error names what does not go together.
    pub(crate) fn input(&self, args: &Args) -> Result<Input, String> {
        let format = self.format(&args.reading)?;
        let mut treatment = Treatment { format, attributes: args.pod.attributes() };
        attributes::add(&mut treatment.attributes, &self.fields);
        Ok(self.path.treated(&Arc::new(treatment)))
    }

    fn format(&self, flags: &FormatFlags) -> Result<Format, String> {
        let format = flags.format(self.format.as_ref(), self.multiline.as_ref(), self.encoding);
        format.map_err(|error| format!("input {:?}: {error}", self.path))
    }
}

/// A value that reads itself. Its error tells what is wrong, with line and column.
fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr<Err = String>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional<'de, D: Deserializer<'de>, T: std::str::FromStr<Err = String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

fn static_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<StaticField>, D::Error> {
    let fields = BTreeMap::<String, String>::deserialize(deserializer)?;
    fields.iter().map(|(name, value)| StaticField::new(name, value).map_err(D::Error::custom)).collect()
}

fn inputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry>, D::Error> {
    let entries: Vec<Entry> = bounded(deserializer)?;
    for entry in &entries {
        entry.format(&FormatFlags::default()).map_err(D::Error::custom)?;
    }
    Ok(entries)
}

fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries = Vec::<T>::deserialize(deserializer)?;
    if entries.len() > ENTRY_LIMIT {
        return Err(D::Error::custom(format_args!("more than {ENTRY_LIMIT} entries: one can match many files")));
    }
    Ok(entries)
}

/// An output in YAML: a URL with its options in the fragment, or a map of `url` and options
#[derive(Deserialize)]
#[serde(untagged, expecting = "a URL such as http://collector:8080/lines, or a map of url and options")]
enum Written {
    Url(String),
    Map {
        url: String,
        #[serde(flatten)]
        options: BTreeMap<String, Values>,
    },
}

/// The value of an option, or several of one that may be repeated
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, a whole number, true or false, or a list of those")]
enum Values {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, a whole number, true or false")]
enum Scalar {
    Switch(bool),
    Number(i64),
    Text(String),
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Switch(on) => on.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Text(text) => text,
        }
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (url, options) = match Written::deserialize(deserializer)? {
            Written::Url(url) => return url.parse().map_err(D::Error::custom),
            Written::Map { url, options } => (url, options),
        };
        if url.contains('#') {
            return Err(D::Error::custom("options stand beside url here, not in its fragment"));
        }
        let mut taken = Options::default();
        for (name, values) in options {
            let values = match values {
                Values::One(value) => vec![value],
                Values::Many(values) => values,
            };
            for value in values {
                taken.push(name.clone(), value.into());
            }
        }
        Self::with_options(&url, taken).map_err(D::Error::custom)
    }
}

impl JsonSchema for Destination {
    fn schema_name() -> Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = serde_json::json!({ "type": ["string", "integer", "boolean"] });
        let value = serde_json::json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
        let names = SCHEMES.iter().flat_map(crate::outputs::Scheme::option_names);
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
