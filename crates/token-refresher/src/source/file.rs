//! `file`: a file that something else writes, such as a projected token.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    fetch_error::FetchError,
    fetched::Fetched,
    fields::Fields,
    input::{Input, Inputs},
};

/// The settings of the source `file`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FileSource {
    /// The path of the file
    pub(crate) path: PathBuf,
}

impl FileSource {
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let value = Input::File(self.path.clone()).read(inputs).await?;
        Ok(Fetched { fields: Fields::single("value", value), life: None, renewable: false })
    }
}
