//! An entry of `secrets:`, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{output::Output, source::SourceEntry};

/// A secret: where it comes from, and where it goes
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SecretEntry {
    /// Its name in logs, metrics and checks: letters, digits and dashes
    pub(crate) name: String,
    /// Where its value comes from
    pub(crate) source: SourceEntry,
    /// The files that it is written to
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(crate) outputs: Vec<Output>,
}
