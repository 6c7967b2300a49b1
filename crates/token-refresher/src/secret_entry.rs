//! An entry of `secrets:`, as it is written.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{output::Output, schedule::Rules, source::SourceEntry, tell::entry::TellEntry};

/// A secret: where it comes from, and where it goes
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SecretEntry {
    /// Its name in logs, metrics and checks: small letters, digits and dashes
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub(crate) name: String,
    /// Where its value comes from
    pub(crate) source: SourceEntry,
    /// The share of its life after which it is refreshed; by default 0.66 where its life can be prolonged, else 0.8
    pub(crate) refresh_at: Option<Share>,
    /// For a value without an expiry: refresh it after this time; by default 5m
    pub(crate) refresh_every: Option<Interval>,
    /// Once it has expired: keep its files, delete them, or be unready
    #[serde(default)]
    pub(crate) on_expired: OnExpired,
    /// The files that it is written to
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) outputs: Vec<Output>,
    /// How the app is told of a new value
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) tell: Vec<TellEntry>,
}

/// What is done with a value that has expired
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnExpired {
    /// Its files stay.
    #[default]
    Keep,
    /// Its files are removed, some seconds before.
    Delete,
    /// Its files stay, and `/readyz` fails.
    Unready,
}

/// A part of a life
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

/// A time between two calls
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval(pub(crate) Duration);

/// No source is called more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

impl SecretEntry {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            share: self.refresh_at.map(|share| share.0),
            every: self.refresh_every.map(|interval| interval.0),
            is_local: self.source.watched().is_some(),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer).ok().filter(|share| (0.1..=0.95).contains(share));
        share.map(Self).ok_or_else(|| D::Error::custom("write a share of the life from 0.1 to 0.95, such as 0.8"))
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let interval = lifecycle::duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        if interval < SHORTEST_INTERVAL { Err(D::Error::custom("at least 1s")) } else { Ok(Self(interval)) }
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0.1, "maximum": 0.95 })
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a duration, such as 5m" })
    }
}
