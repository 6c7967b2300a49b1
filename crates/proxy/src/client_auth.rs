//! Whether the clients of a listener need certificates.

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether clients need a certificate
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientAuth {
    /// A client without one is refused
    #[default]
    Required,
    /// A client may have none; a wrong one is refused
    Optional,
}
