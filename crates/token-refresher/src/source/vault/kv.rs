//! `vault-kv`: a secret of the KV engine of Vault or OpenBao.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    api::{Api, ApiPath, Namespace, error},
    kv_answer::{Engine, Place, Values, absence},
    login::{Login, is_known},
    method::Method,
    session::Session,
};
use crate::{
    exchange::Answer, exchange::server::Server, value::fetch_error::FetchError, value::fetched::Fetched,
    value::input::Inputs,
};

/// The settings of the source `vault-kv`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct KvSource {
    /// The server; options of the URL say how it is reached (authorities, certificates)
    #[serde(deserialize_with = "super::api::server")]
    url: Server,
    /// The namespace of the secret, and of the login
    namespace: Option<Namespace>,
    /// How to log in; `token: {secret: NAME}` shares the login of another secret
    login: Method,
    /// The path with its mount, as `bao kv get` takes it: secret/billing/db
    path: ApiPath,
    /// The mount, where the server may not be asked for it; `path` is then without it
    mount: Option<ApiPath>,
    /// The version of the KV engine of `mount`; without it, the server is asked
    kv_version: Option<Engine>,
    /// The version of the secret; by default the newest one
    version: Option<std::num::NonZeroU32>,
    /// Gives the whole secret as JSON a name of a field, which becomes the main one
    whole: Option<String>,
    #[serde(skip)]
    session: Session,
    /// The server did not know the token at the last read, so a further refusal has another reason.
    #[serde(skip)]
    is_doubted: Arc<AtomicBool>,
}

impl KvSource {
    /// The newest values. Where the server does not know the token any more, the login is asked for another one once, and not
    /// again before a read has succeeded.
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let token = self.token(inputs).await?;
        let refusal = match self.read(&token).await {
            Err(error @ FetchError::Refused(_)) => error,
            other => {
                if other.is_ok() {
                    self.is_doubted.store(false, Relaxed);
                }
                return other;
            }
        };
        if is_known(self.api(), &token).await? || self.is_doubted.swap(true, Relaxed) {
            return Err(refusal);
        }
        if let Some(input) = self.login.token() {
            inputs.doubt(input, &token);
            return Err(FetchError::Refused(
                "the server does not know the token of the login: it is wrong, revoked or expired".into(),
            ));
        }
        self.session.forget().await;
        tracing::warn!(reason = refusal.label(), "the token of the login is not valid any more: {refusal}");
        let read = self.read(&self.token(inputs).await?).await;
        self.is_doubted.store(read.is_err(), Relaxed);
        read
    }

    /// Where it asks, as it may be printed
    pub(crate) fn label(&self) -> String {
        self.url.0.label()
    }

    pub(crate) fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.login.depends_on()
    }

    pub(crate) fn server(&self) -> &Server {
        &self.url
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.url.0.files().chain(self.login.files())
    }

    fn api(&self) -> Api<'_> {
        Api { server: &self.url, namespace: self.namespace.as_ref() }
    }

    async fn token(&self, inputs: &Inputs) -> Result<Secret, FetchError> {
        match self.login.token() {
            Some(token) => token.read(inputs).await,
            None => self.session.token(Login { api: self.api(), method: &self.login }, inputs).await,
        }
    }

    async fn read(&self, token: &Secret) -> Result<Fetched, FetchError> {
        let place = self.place(token).await?;
        if self.version.is_some() && place.engine == Engine::V1 {
            let mount = &place.mount;
            return Err(FetchError::Refused(format!("{mount} is KV version 1, which keeps one value: remove version")));
        }
        let query = self.version.map(|version| format!("version={version}"));
        let answer = self.api().read(&place.data_path(), query.as_deref(), token).await?;
        if answer.status.as_u16() == 404 {
            return Err(self.absent(&answer, &place));
        }
        if !answer.status.is_success() {
            return Err(error(&answer));
        }
        let values = Values::of(&answer.json()?, place.engine, self.whole.as_deref(), answer.server_now);
        let Values { fields, life } = values.map_err(|fault| answer.bad(fault))?;
        Ok(Fetched { fields, life, renewable: false })
    }

    /// Where the secret is; the server is asked as its own command line does it.
    async fn place(&self, token: &Secret) -> Result<Place, FetchError> {
        let path = self.path.as_str();
        if let (Some(mount), Some(engine)) = (&self.mount, self.kv_version) {
            return Ok(Place { engine, mount: format!("{}/", mount.as_str()), path: path.into() });
        }
        let path = self.mount.as_ref().map_or(path.to_owned(), |mount| format!("{}/{path}", mount.as_str()));
        let answer = self.api().read(&format!("sys/internal/ui/mounts/{path}"), None, token).await?;
        if !answer.status.is_success() {
            return Err(error(&answer));
        }
        let mut place = Place::of_preflight(&answer.json()?, &path).map_err(|fault| answer.bad(fault))?;
        place.engine = self.kv_version.unwrap_or(place.engine);
        Ok(place)
    }

    fn absent(&self, answer: &Answer, place: &Place) -> FetchError {
        let reason = answer.json().map_or_else(|_| answer.error().to_string(), |document| absence(&document));
        let version = self.version.map(|version| format!(", version {version}")).unwrap_or_default();
        let is_path_of_api = place.engine == Engine::V2 && place.path.starts_with("data/");
        let remedy = if is_path_of_api { "; write the path as `bao kv get` takes it, without data/" } else { "" };
        FetchError::Refused(format!("the secret {}{}{version}: {reason}{remedy}", place.mount, place.path))
    }
}
