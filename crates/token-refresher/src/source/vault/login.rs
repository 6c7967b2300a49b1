//! `vault-login`: a token of Vault or OpenBao, kept alive.
//!
//! A renewal that is refused never leads to a loop of logins: a token that still works is kept until it is due, and one that is
//! gone is replaced once.

use std::path::Path;

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    api::{Api, Namespace, error},
    method::Method,
    token,
};
use crate::{
    exchange::Answer, exchange::server::Server, value::fetch_error::FetchError, value::fetched::Fetched,
    value::input::Inputs,
};

/// The settings of the source `vault-login`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LoginSource {
    /// The server; options of the URL say how it is reached (authorities, certificates)
    #[serde(deserialize_with = "super::api::server")]
    url: Server,
    /// The namespace of the login
    namespace: Option<Namespace>,
    /// How to log in
    login: Method,
}

/// A login at a server
#[derive(Clone, Copy, Debug)]
pub(super) struct Login<'a> {
    pub(super) api: Api<'a>,
    pub(super) method: &'a Method,
}

impl LoginSource {
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        self.login().fetch(inputs).await
    }

    pub(crate) async fn renew(&self, last: &Fetched, inputs: &Inputs) -> Result<Fetched, FetchError> {
        self.login().renew(last, inputs).await
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

    fn login(&self) -> Login<'_> {
        Login { api: Api { server: &self.url, namespace: self.namespace.as_ref() }, method: &self.login }
    }
}

impl Login<'_> {
    /// A new token; where there is one already, its life.
    pub(super) async fn fetch(self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let Some(credentials) = self.method.credentials(inputs).await? else {
            let Some(input) = self.method.token() else { return Err(FetchError::Input("there is no token".into())) };
            let token = input.read(inputs).await?;
            let answer = look_up(self.api, &token).await?;
            if answer.status.is_success() {
                return looked_up(&token, &answer);
            }
            return Err(error(&answer));
        };
        let texts: Vec<_> = credentials.texts.iter().map(|(name, text)| (*name, text.expose())).collect();
        let secrets = credentials.texts.iter().map(|(_, text)| text.clone()).collect();
        let answer = self.api.write(&credentials.path, &texts, None, secrets).await?;
        if answer.status.is_success() { logged_in(&answer) } else { Err(error(&answer)) }
    }

    /// The same token with a longer life. At the server's maximum the answer is marked as not renewable, so that a new login
    /// follows before the end. A token that the server does not know any more is replaced at once.
    pub(super) async fn renew(self, last: &Fetched, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let Some(token) = last.fields.get(None) else { return self.fetch(inputs).await };
        let answer = self.api.write("auth/token/renew-self", &[], Some(token), Vec::new()).await?;
        if answer.status.is_success() {
            let mut renewed = logged_in(&answer)?;
            // A token that ends does not become one that never does.
            renewed.life = renewed.life.or(last.life.map(|_| token::LAST_SECOND));
            renewed.renewable &= !token::is_capped(last.life, renewed.life);
            return Ok(renewed);
        }
        let refusal = error(&answer);
        if !matches!(refusal, FetchError::Refused(_)) {
            return Err(refusal);
        }
        let answer = look_up(self.api, token).await?;
        match error_of(&answer) {
            // A policy may refuse renewals alone: the token serves for the rest of its life.
            None => {
                tracing::warn!(reason = refusal.label(), "cannot renew the token, which is still valid: {refusal}");
                Ok(Fetched { renewable: false, ..looked_up(token, &answer)? })
            }
            Some(FetchError::Refused(_)) => {
                tracing::warn!(reason = refusal.label(), "the token is not valid any more: {refusal}");
                self.fetch(inputs).await
            }
            Some(error) => Err(error),
        }
    }
}

/// Whether the server still knows a token. The policy `default` lets each token ask that; an error says that the server cannot
/// tell.
pub(super) async fn is_known(api: Api<'_>, token: &Secret) -> Result<bool, FetchError> {
    let answer = look_up(api, token).await?;
    match error_of(&answer) {
        None => Ok(true),
        Some(FetchError::Refused(_)) => Ok(false),
        Some(error) => Err(error),
    }
}

async fn look_up(api: Api<'_>, token: &Secret) -> Result<Answer, FetchError> {
    api.read("auth/token/lookup-self", None, token).await
}

fn error_of(answer: &Answer) -> Option<FetchError> {
    (!answer.status.is_success()).then(|| error(answer))
}

fn logged_in(answer: &Answer) -> Result<Fetched, FetchError> {
    token::of_login(&answer.json()?).map_err(|fault| answer.bad(fault))
}

fn looked_up(token: &Secret, answer: &Answer) -> Result<Fetched, FetchError> {
    token::of_lookup(token, &answer.json()?).map_err(|fault| answer.bad(fault))
}
