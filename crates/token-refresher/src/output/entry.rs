//! An entry of `outputs:`, as it is written.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow};
use files::{Directory, Permissions};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::fields::Fields;

/// A volume that has not answered for this long does not answer at all.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// A file that a secret is written to
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OutputEntry {
    /// The path of the file
    pub(crate) file: PathBuf,
    /// The field of the secret that it holds; by default the main one
    pub(crate) value: Option<String>,
}

impl OutputEntry {
    /// Writes the values, whole or not at all.
    pub(crate) async fn write(&self, fields: &Fields) -> anyhow::Result<()> {
        let path = self.file.clone();
        let field = self.value.as_deref();
        let value = fields.get(field).ok_or_else(|| {
            let names: Vec<_> = fields.names().collect();
            anyhow!("the source has no field of this name; it has {}", names.join(", "))
        })?;
        let value = value.clone();
        let write = move || {
            let directory = path.parent().context("a file needs a directory")?;
            let name = path.file_name().and_then(|name| name.to_str()).context("a file needs a name")?;
            let permissions = Permissions::mode(0o400);
            Directory::open(directory)?.write(name, value.expose().as_bytes(), permissions).map_err(anyhow::Error::from)
        };
        let cannot_write = || format!("cannot write {}", self.file.display());
        let written = lifecycle::on_volume_in_turn(&self.file, WRITE_LIMIT, write).await;
        written.map_err(anyhow::Error::from).and_then(|result| result).with_context(cannot_write)
    }
}
