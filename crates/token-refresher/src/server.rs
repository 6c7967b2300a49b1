//! A server as a configuration file names it: a URL with options, or a map of `url` and options.

use std::{borrow::Cow, fmt};

use endpoint::{HttpClient, Written, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// A server that sources ask
#[derive(Clone)]
pub(crate) struct Server(pub(crate) HttpClient);

/// Tells two servers apart without a text that may be a secret, so that entries can be compared.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digest = Sha256::digest(self.0.url().as_str());
        let files: Vec<_> = self.0.files().collect();
        f.debug_struct("Server").field("url", &self.0.label()).field("digest", &digest).field("files", &files).finish()
    }
}

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
