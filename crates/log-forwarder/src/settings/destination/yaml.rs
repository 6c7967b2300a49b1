//! An output in YAML: a URL, or a map of `url` and options.

use std::borrow::Cow;

use endpoint::{Written, option_schema, written_schema_of};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
        written_schema_of(SCHEMES.iter().flat_map(Scheme::option_names).map(|name| (name, schema(name))))
    }
}

fn schema(name: &str) -> Schema {
    let text = |description: &str| json_schema!({ "type": "string", "description": description });
    match name {
        "final-status" => json_schema!({
            "description": "Statuses by which a batch is refused for good, such as 400,413,420-424; may be a list",
            "anyOf": [
                { "type": ["string", "integer"] },
                { "type": "array", "items": { "type": ["string", "integer"] } },
            ],
        }),
        "max-connection-age" => text("Use a connection no longer than this, such as 10m"),
        "proxy" => text("The proxy that leads to the server, as http://HOST:PORT or https://HOST:PORT"),
        "proxy-user" => text("The user of the login at the proxy"),
        "proxy-password-file" => text("The file of the password for the proxy"),
        "proxy-password-env" => text("The variable that holds the password for the proxy"),
        "retry-limit" => json_schema!({
            "type": "integer",
            "minimum": 0,
            "description": "Give a batch to the dead letters after this number of attempts again",
        }),
        "name" => text("Tells this output from others of the same URL, such as tenant-a"),
        "retry-age" => text("Give a batch to the dead letters this long after its first attempt, such as 24h"),
        _ => option_schema(name),
    }
}
