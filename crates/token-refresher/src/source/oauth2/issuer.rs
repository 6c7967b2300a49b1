//! The issuer's identifier: a URL that its metadata must repeat letter by letter.

use std::borrow::Cow;

use endpoint::{HttpClient, Written, written_schema};
use lifecycle::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// An issuer as it is written
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) client: HttpClient,
    /// The URL without options, as it is written; a login may stand in it
    identifier: Secret,
}

impl Issuer {
    /// What the metadata must call itself (RFC 8414, section 3.3)
    pub(super) fn identifier(&self) -> &str {
        self.identifier.expose()
    }

    fn new(url: &str, client: HttpClient) -> Result<Self, String> {
        if client.url().query().is_some() {
            return Err("an issuer has no query".into());
        }
        Ok(Self { client, identifier: url.into() })
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_text = |text: &str| {
            let url = text.split_once('#').map_or(text, |(url, _)| url);
            Self::new(url, HttpClient::from_text(text)?)
        };
        Written::deserialize(deserializer)?
            .read(of_text, |url, options| Self::new(url, HttpClient::from_parts(url, options)?))
    }
}

impl JsonSchema for Issuer {
    fn schema_name() -> Cow<'static, str> {
        "Issuer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        written_schema(HttpClient::options().filter_map(|option| option.split('=').next()))
    }
}
