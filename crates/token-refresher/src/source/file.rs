//! `file`: a file that something else writes, such as a projected token.

use std::{path::PathBuf, time::SystemTime};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::fields::Fields,
    value::input::{Input, Inputs},
    value::life,
};

/// The settings of the source `file`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FileSource {
    /// The path of the file
    pub(crate) path: PathBuf,
}

impl FileSource {
    /// The path, as it may be printed: a relative one may be a secret that was written in place of its file.
    pub(crate) fn label(&self) -> String {
        if self.path.is_absolute() { self.path.display().to_string() } else { "with a relative path".into() }
    }

    /// The content of the file. Where it is a JWT, it says itself when it expires.
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let value = Input::File(self.path.clone()).read(inputs).await?;
        if value.expose().is_empty() {
            return Err(FetchError::Input(format!("{} is empty", self.path.display())));
        }
        let life = life::of_jwt(value.expose(), SystemTime::now()).transpose();
        // Whoever writes the file is late, or one of the clocks is wrong; both pass.
        let expired = |_| FetchError::Input(format!("the token in {} has expired", self.path.display()));
        Ok(Fetched { fields: Fields::single("value", value), life: life.map_err(expired)?, renewable: false })
    }
}
