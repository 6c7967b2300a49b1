//! A server as a configuration file names it: a URL with options, or a map of `url` and options.

use std::{borrow::Cow, fmt};

use endpoint::{HttpClient, Written, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// A server that sources ask
#[derive(Clone)]
pub(crate) struct Server(pub(crate) HttpClient);

impl Server {
    /// The scheme, host and port of its URL, or its socket
    pub(crate) fn origin(&self) -> String {
        self.0.origin()
    }
}

/// Tells two servers apart without a text that may be a secret, so that entries can be compared. The alternate text is the same in
/// each process, for which it leaves out options that may hold a secret.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !f.alternate() {
            return f.debug_tuple("Server").field(&self.0).finish();
        }
        let digest = Sha256::digest(self.0.url().as_str());
        f.debug_tuple("Server").field(&self.0).field(&digest).finish()
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
