//! The configuration file of a helper: YAML, read whole or refused with line and column.

use std::path::Path;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{exit::Exit, files};

/// Bytes; a ConfigMap can't hold more than 1 MiB.
const FILE_LIMIT: u64 = 1024 * 1024;

/// How to check a helper's configuration file and describe it; made by [`ConfigFile::of`]
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile {
    check: fn(&Path) -> anyhow::Result<()>,
    schema: fn() -> String,
}

impl ConfigFile {
    /// The file whose content is a `T`. `T` must deny unknown fields.
    pub const fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self { check: |path| read::<T>(path).map(drop), schema: schema::<T> }
    }

    pub(crate) fn check(&self, path: &Path) -> anyhow::Result<()> {
        (self.check)(path)
    }

    pub(crate) fn schema(&self) -> String {
        (self.schema)()
    }
}

/// Reads a configuration file of at most 1 MiB; what is wrong with it is an error with exit code 78.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    parse(path, &text(path)?)
}

pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    files::read(path, FILE_LIMIT)
        .map_err(|error| Exit::Config.because(format!("cannot read {}: {error}", path.display())))
}

pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<T> {
    serde_norway::from_str(text).map_err(|error| Exit::Config.because(format!("{}: {error}", path.display())))
}

fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}
