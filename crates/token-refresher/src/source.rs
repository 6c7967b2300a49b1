//! Where a secret comes from: the table of sources. A source is one file and a row here.

mod file;
mod http;
mod oauth2;

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{fetch_error::FetchError, fetched::Fetched, input::Inputs};

/// A source as it is written: one key, which is its kind
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceEntry {
    /// A file that something else writes
    File(file::FileSource),
    /// An endpoint that answers with JSON, or with the value itself
    Http(Box<http::HttpSource>),
    /// Tokens of OAuth 2.0
    #[serde(rename = "oauth2")]
    OAuth2(Box<oauth2::OAuth2Source>),
}

impl SourceEntry {
    /// The values, asked for anew.
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        match self {
            Self::File(file) => file.fetch(inputs).await,
            Self::Http(http) => http.fetch(inputs).await,
            Self::OAuth2(oauth2) => oauth2.fetch(inputs).await,
        }
    }

    /// The same values with a longer life, where the source can do that.
    pub(crate) async fn renew(&self, _: &Fetched, inputs: &Inputs) -> Result<Fetched, FetchError> {
        match self {
            Self::File(file) => file.fetch(inputs).await,
            Self::Http(http) => http.fetch(inputs).await,
            Self::OAuth2(oauth2) => oauth2.fetch(inputs).await,
        }
    }

    /// The secrets that must be there first
    pub(crate) fn depends_on(&self) -> Vec<&str> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Http(http) => http.depends_on().collect(),
            Self::OAuth2(oauth2) => oauth2.depends_on().collect(),
        }
    }

    /// The file that is the source; its changes are noticed
    pub(crate) fn watched(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            Self::Http(_) | Self::OAuth2(_) => None,
        }
    }

    /// The files that a request reads
    pub(crate) fn files(&self) -> Vec<&Path> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Http(http) => http.files().collect(),
            Self::OAuth2(oauth2) => oauth2.files().collect(),
        }
    }
}
