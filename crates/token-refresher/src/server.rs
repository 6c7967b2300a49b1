//! A server as a configuration file names it: a URL with options, or a map of `url` and options.

use std::borrow::Cow;

use endpoint::{HttpClient, Written, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A server that sources ask
#[derive(Clone, Debug)]
pub(crate) struct Server(pub(crate) HttpClient);

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(HttpClient::from_text, HttpClient::from_parts).map(Self)
    }
}

impl JsonSchema for Server {
    fn schema_name() -> Cow<'static, str> {
        "Server".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        written_schema(HttpClient::options().filter_map(|option| option.split('=').next()))
    }
}
