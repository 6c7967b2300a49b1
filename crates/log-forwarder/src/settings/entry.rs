//! An input in YAML: a pattern, and how the files with such names are read.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    filters::{FieldTest, Level, Redact, ReplacementText, Rules},
    format::{Charset, Format, FormatFlags, Multiline, Parsers, Pattern, TimeFlags, TimeForm, TimeKey, Zone},
    records::treatment::Treatment,
    settings::{
        args::Args,
        attributes::{self, StaticField},
        input::Input,
        selection::{Exclude, Period, StartAt},
    },
};

/// Files to follow, and how they are read
#[derive(Debug)]
pub(crate) struct Entry(Settings);

/// An input as a map
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Follow the files with names like this, such as /var/log/nginx/*.log
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "String")]
    path: Input,
    /// Leave files with names like these alone, in addition to those of --exclude
    #[serde(default, deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    exclude: Vec<Exclude>,
    /// Where reading begins in files that are there already: beginning or end
    #[serde(default, rename = "start-at", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    start_at: Option<StartAt>,
    /// Leave files alone that nothing was written to for this long, such as 24h
    #[serde(default, rename = "ignore-older", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    ignore_older: Option<Period>,
    /// The form of a line: raw, json, logfmt, cri, docker, nginx or regex:PATTERN, or one inside cri or docker, such as cri,json
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    format: Option<Parsers>,
    /// Join the lines of a stack trace: java, python, go, rust, or a pattern that is found in a first line
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    multiline: Option<Multiline>,
    /// The characters of the files, by a name that web browsers know
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    encoding: Option<Charset>,
    /// The field that holds a record's time, in place of the usual ones
    #[serde(default, rename = "time-key", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    time_key: Option<TimeKey>,
    /// The form of that time: rfc3339, unix, `unix_ms`, `unix_us`, `unix_ns`, or a pattern of strptime(3)
    #[serde(default, rename = "time-format", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    time_format: Option<TimeForm>,
    /// The zone of times that name none, such as Europe/Berlin or +01:00
    #[serde(default, rename = "time-zone", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    time_zone: Option<Zone>,
    /// Read compressed files (gzip, zstd) with such names to their end, once
    #[serde(default, rename = "read-compressed")]
    read_compressed: Option<bool>,
    /// Send only records in whose text one of these patterns is found
    #[serde(default, deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    keep: Vec<Pattern>,
    /// Drop records in whose text one of these patterns is found
    #[serde(default, deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    drop: Vec<Pattern>,
    /// Send only records with one of these fields: NAME=VALUE, or NAME~PATTERN
    #[serde(default, rename = "keep-field", deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    keep_field: Vec<FieldTest>,
    /// Drop records with one of these fields: NAME=VALUE, or NAME~PATTERN
    #[serde(default, rename = "drop-field", deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    drop_field: Vec<FieldTest>,
    /// Drop records whose level is below this one
    #[serde(default, rename = "drop-below", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    drop_below: Option<Level>,
    /// Hide what these patterns find, or only their group `secret`, in addition to those of --redact
    #[serde(default, deserialize_with = "several")]
    #[schemars(with = "Vec<String>")]
    redact: Vec<Redact>,
    /// Write this in place of what is hidden
    #[serde(default, rename = "redact-with", deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    redact_with: Option<ReplacementText>,
    /// Fields that each of their records carries
    #[serde(default, deserialize_with = "static_fields")]
    #[schemars(with = "BTreeMap<String, String>")]
    fields: Vec<StaticField>,
}

impl Entry {
    /// The flags give the settings that are missing here. An error names settings that exclude each other.
    pub(crate) fn input(&self, args: &Args) -> Result<Input, String> {
        let format = self.format(&args.reading)?;
        let reads_compressed = self.0.read_compressed.unwrap_or(args.selection.read_compressed);
        let rules = self.rules().over(&args.filters.rules());
        let (filter, redaction) = rules.of(&format).map_err(|error| self.at(&error))?;
        let attributes = args.pod.attributes();
        let mut treatment = Treatment { format, filter, redaction, reads_compressed, attributes };
        attributes::add(&mut treatment.attributes, &self.0.fields);
        let Settings { path, exclude, start_at, ignore_older, .. } = &self.0;
        let selection = args.selection.selection(exclude, *start_at, *ignore_older);
        Ok(path.treated(&Arc::new(treatment)).selected(&Arc::new(selection)))
    }

    fn format(&self, flags: &FormatFlags) -> Result<Format, String> {
        let Settings { format, multiline, encoding, time_key, time_format, time_zone, .. } = &self.0;
        let time = TimeFlags { key: time_key.clone(), form: time_format.clone(), zone: time_zone.clone() };
        let format = flags.format(format.as_ref(), multiline.as_ref(), *encoding, &time);
        format.map_err(|error| self.at(&error))
    }

    fn rules(&self) -> Rules {
        let Settings { keep, drop, keep_field, drop_field, drop_below, redact, redact_with, .. } = &self.0;
        Rules {
            keep: keep.clone(),
            drop: drop.clone(),
            keep_field: keep_field.clone(),
            drop_field: drop_field.clone(),
            drop_below: drop_below.clone(),
            redact: redact.clone(),
            redact_with: redact_with.clone(),
        }
    }

    fn at(&self, error: &str) -> String {
        format!("input {:?}: {error}", self.0.path)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A pattern of names, or a map of path and how the files are read",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<Settings>()],
        })
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a pattern such as /var/log/nginx/*.log, or a map of path and how the files are read")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
        let path = text.parse().map_err(E::custom)?;
        Ok(Entry(Settings {
            path,
            exclude: Vec::new(),
            start_at: None,
            ignore_older: None,
            format: None,
            multiline: None,
            encoding: None,
            time_key: None,
            time_format: None,
            time_zone: None,
            keep: Vec::new(),
            drop: Vec::new(),
            keep_field: Vec::new(),
            drop_field: Vec::new(),
            drop_below: None,
            redact: Vec::new(),
            redact_with: None,
            read_compressed: None,
            fields: Vec::new(),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Settings::deserialize(MapAccessDeserializer::new(map)).map(Entry)
    }
}

/// A value that reads itself. Its error names the fault, with line and column.
fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

fn several<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items: Vec<Item<T>> = lifecycle::config::bounded(deserializer)?;
    Ok(items.into_iter().map(|Item(value)| value).collect())
}

/// One of several values: its error has its own line and column.
struct Item<T>(T);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer).map(Self)
    }
}

fn static_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<StaticField>, D::Error> {
    let fields = BTreeMap::<String, String>::deserialize(deserializer)?;
    fields.iter().map(|(name, value)| StaticField::new(name, value).map_err(D::Error::custom)).collect()
}
