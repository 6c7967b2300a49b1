//! The URL of a request, with the options of endpoint's client.

use std::borrow::Cow;

use endpoint::{HttpClient, Written, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A URL with its options in the fragment, or a map of `url` and options
#[derive(Clone, Debug)]
pub(crate) struct RequestUrl(pub(super) HttpClient);

impl<'de> Deserialize<'de> for RequestUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(HttpClient::from_text, HttpClient::from_parts).map(Self)
    }
}

impl JsonSchema for RequestUrl {
    fn schema_name() -> Cow<'static, str> {
        "RequestUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        written_schema(HttpClient::options().map(|option| option.split('=').next().unwrap_or(option)))
    }
}
