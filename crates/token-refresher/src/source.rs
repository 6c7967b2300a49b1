//! Where a secret comes from: the table of sources. A source is one file and a row here.

mod file;
mod http;
mod kubernetes_token;
mod oauth2;
mod token_text;
mod vault;

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{exchange::server::Server, value::fetch_error::FetchError, value::fetched::Fetched, value::input::Inputs};

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
    /// A token of a Kubernetes service account, with an audience and a life of its own
    KubernetesToken(Box<kubernetes_token::KubernetesToken>),
    /// A token of Vault or OpenBao, kept alive
    VaultLogin(Box<vault::LoginSource>),
    /// A secret of the KV engine of Vault or OpenBao
    VaultKv(Box<vault::KvSource>),
}

impl SourceEntry {
    /// The values, asked for anew.
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        match self {
            Self::File(file) => file.fetch(inputs).await,
            Self::Http(http) => http.fetch(inputs).await,
            Self::OAuth2(oauth2) => oauth2.fetch(inputs).await,
            Self::KubernetesToken(token) => token.fetch(inputs).await,
            Self::VaultLogin(login) => login.fetch(inputs).await,
            Self::VaultKv(kv) => kv.fetch(inputs).await,
        }
    }

    /// The same values with a longer life, where the source can do that.
    pub(crate) async fn renew(&self, last: &Fetched, inputs: &Inputs) -> Result<Fetched, FetchError> {
        match self {
            Self::File(file) => file.fetch(inputs).await,
            Self::Http(http) => http.fetch(inputs).await,
            Self::OAuth2(oauth2) => oauth2.fetch(inputs).await,
            Self::KubernetesToken(token) => token.fetch(inputs).await,
            Self::VaultLogin(login) => login.renew(last, inputs).await,
            Self::VaultKv(kv) => kv.fetch(inputs).await,
        }
    }

    /// Its kind as it is written, and where it asks, without a login and a query: for `explain`
    pub(crate) fn label(&self) -> String {
        match self {
            Self::File(file) => format!("file {}", file.label()),
            Self::Http(http) => format!("http {}", http.label()),
            Self::OAuth2(oauth2) => format!("oauth2 {}", oauth2.label()),
            Self::KubernetesToken(token) => format!("kubernetes-token {}", token.label()),
            Self::VaultLogin(login) => format!("vault-login {}", login.label()),
            Self::VaultKv(kv) => format!("vault-kv {}", kv.label()),
        }
    }

    /// Whether an answer of this source may say that its values can be prolonged
    pub(crate) fn may_renew(&self) -> bool {
        matches!(self, Self::VaultLogin(_))
    }

    /// The secrets that must be there first
    pub(crate) fn depends_on(&self) -> Vec<&str> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Http(http) => http.depends_on().collect(),
            Self::OAuth2(oauth2) => oauth2.depends_on().collect(),
            Self::KubernetesToken(token) => token.depends_on().collect(),
            Self::VaultLogin(login) => login.depends_on().collect(),
            Self::VaultKv(kv) => kv.depends_on().collect(),
        }
    }

    /// The origin of the server that is called
    pub(crate) fn origin(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::Http(http) => Some(http.server().origin()),
            Self::OAuth2(oauth2) => Some(oauth2.origin()),
            Self::KubernetesToken(token) => token.server().map(Server::origin),
            Self::VaultLogin(login) => Some(login.server().origin()),
            Self::VaultKv(kv) => Some(kv.server().origin()),
        }
    }

    /// The file that is the source; its changes are noticed
    pub(crate) fn watched(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            _ => None,
        }
    }

    /// The files that a request reads
    pub(crate) fn files(&self) -> Vec<&Path> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Http(http) => http.files().collect(),
            Self::OAuth2(oauth2) => oauth2.files().collect(),
            Self::KubernetesToken(token) => token.files().collect(),
            Self::VaultLogin(login) => login.files().collect(),
            Self::VaultKv(kv) => kv.files().collect(),
        }
    }
}
