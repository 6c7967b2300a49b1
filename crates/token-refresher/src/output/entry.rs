//! An entry of `outputs:`, as it is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// A file that a secret is written to
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OutputEntry {
    /// The path of the file
    pub(crate) file: PathBuf,
    /// The field of the secret that it holds; by default the main one
    pub(crate) value: Option<String>,
}
