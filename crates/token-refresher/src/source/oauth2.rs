//! `oauth2`: tokens of OAuth 2.0 for clients, refresh tokens and assertions (RFC 6749, RFC 7523, RFC 8414).

mod client_auth;
mod entry;
mod form;
mod grant;
mod issuer;
mod refresh_token;
mod rotated_file;
mod signer;
mod signing_key;
#[cfg(test)]
mod tests;
mod token_answer;
mod token_endpoint;

use std::{
    borrow::Cow,
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use endpoint::HttpRequest;
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use self::{
    client_auth::ClientAuth,
    entry::OAuth2Entry,
    form::Form,
    grant::Grant,
    refresh_token::{Outcome, RefreshToken},
    rotated_file::RotatedFile,
    token_answer::TokenAnswer,
    token_endpoint::TokenEndpoint,
};
use crate::{
    exchange::{Answer, Unanswered},
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::input::{Input, Inputs},
};

/// Parameters that other settings set
const OWN_PARAMETERS: [&str; 11] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "assertion",
    "scope",
    "audience",
    "resource",
    "token_type",
];

/// The source `oauth2`, checked
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "OAuth2Entry")]
pub(crate) struct OAuth2Source {
    endpoint: TokenEndpoint,
    client_id: Option<String>,
    auth: ClientAuth,
    grant: Grant,
    /// They may be printed.
    parameters: Vec<(String, String)>,
    clock: ServerClock,
}

/// By how many seconds the server's clock is ahead of ours, once it has answered
#[derive(Clone, Default)]
struct ServerClock(Arc<AtomicI64>);

/// Without the time: the text of a source is how another process knows it again.
impl fmt::Debug for ServerClock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ServerClock")
    }
}

impl OAuth2Source {
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let found = self.endpoint.find().await?;
        let now = self.clock.now();
        let mut form = Form::default();
        for (name, value) in &self.parameters {
            form.push(name, value.clone());
        }
        let mut headers = match &self.client_id {
            Some(id) => self.auth.log_in(id, &found.audience, now, inputs, &mut form).await?,
            None => http::HeaderMap::new(),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // Last, because a refresh token counts as sent from here on.
        self.grant.add_to(&mut form, &found.audience, now, inputs).await?;
        let (body, secrets) = form.finish();
        let request = HttpRequest { method: Method::POST, url: found.url, headers, body };
        match Answer::to_single(found.client, request, secrets).await {
            Ok(answer) => self.take(TokenAnswer::new(answer)).await,
            Err(Unanswered { error, may_have_arrived }) => {
                self.endpoint.forget();
                self.settle(if may_have_arrived { Outcome::Lost } else { Outcome::Untouched }).await?;
                Err(error)
            }
        }
    }

    /// The origin of the issuer, or of the token endpoint
    pub(crate) fn origin(&self) -> String {
        self.endpoint.client().origin()
    }

    /// Where it asks, as it may be printed
    pub(crate) fn label(&self) -> String {
        self.endpoint.client().label()
    }

    pub(crate) fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.inputs().filter_map(Input::depends_on)
    }

    /// The files that each request reads
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.endpoint.files().chain(self.inputs().filter_map(Input::file))
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.auth.input().into_iter().chain(self.grant.input())
    }

    async fn take(&self, answer: TokenAnswer) -> Result<Fetched, FetchError> {
        self.clock.set(answer.server_now());
        if answer.is_elsewhere() {
            self.endpoint.forget();
        }
        let tokens = answer.tokens();
        let life = tokens.as_ref().ok().and_then(|fetched| fetched.life);
        self.settle(match answer.refresh_token() {
            // Also when the rest of the answer is wrong: the old one is used up.
            Some(new) => Outcome::Success { new: Some(new), life },
            None if tokens.is_ok() => Outcome::Success { new: None, life },
            None if answer.refuses_grant() => Outcome::Refused,
            None if answer.leaves_open() => Outcome::Lost,
            None => Outcome::Untouched,
        })
        .await?;
        tokens
    }

    async fn settle(&self, outcome: Outcome) -> Result<(), FetchError> {
        match &self.grant {
            Grant::RefreshToken(token) => token.settle(Instant::now(), outcome).await,
            _ => Ok(()),
        }
    }
}

impl TryFrom<OAuth2Entry> for OAuth2Source {
    type Error = String;

    fn try_from(entry: OAuth2Entry) -> Result<Self, String> {
        let by_certificate = entry.client_auth == Some(client_auth::Method::TlsClientAuth);
        let signer = entry.private_key.clone();
        let (auth_key, grant) = match (entry.refresh_token, entry.assertion, entry.signed_assertion) {
            (None, None, None) => (signer, Grant::ClientCredentials),
            (Some(given), None, None) => {
                let file = entry.rotated_token_file.clone().map(RotatedFile::new).transpose()?;
                (signer, Grant::RefreshToken(RefreshToken::new(given, file)))
            }
            (None, Some(input), None) => (signer, Grant::Assertion(input)),
            (None, None, Some(claims)) => {
                let grant_key = signer.clone().ok_or("signed-assertion needs a private-key")?;
                let id = entry.client_id.as_deref();
                // The key signs the grant. It logs the client in as well where client-auth says so.
                let logs_in = entry.client_auth == Some(client_auth::Method::PrivateKeyJwt);
                (signer.filter(|_| logs_in), Grant::signed(grant_key, claims, id)?)
            }
            _ => return Err("refresh-token, assertion and signed-assertion exclude each other".into()),
        };
        if entry.rotated_token_file.is_some() && !matches!(grant, Grant::RefreshToken(_)) {
            return Err("rotated-token-file goes together with refresh-token".into());
        }
        let auth = ClientAuth::new(entry.client_auth, entry.client_secret, auth_key, entry.assertion_audience)?;
        let endpoint = TokenEndpoint::new(entry.issuer, entry.token_endpoint, by_certificate, entry.insecure_http)?;
        match (&entry.client_id, &auth, &grant) {
            (None, ClientAuth::IdAlone, Grant::Assertion(_) | Grant::Signed { .. }) => {}
            (None, ..) => return Err("client-id is missing".into()),
            (Some(_), ClientAuth::IdAlone, Grant::ClientCredentials) if !by_certificate => {
                return Err("client credentials need client-secret, private-key or client-auth: tls_client_auth".into());
            }
            _ if matches!(auth, ClientAuth::Basic(_)) && endpoint.client().has_login() => {
                return Err("client-secret and a login of the URL exclude each other".into());
            }
            _ => {}
        }
        if let Some(name) = entry.parameters.keys().find(|name| OWN_PARAMETERS.contains(&name.as_str())) {
            return Err(format!("parameters: {name} is set by other settings"));
        }
        let optional = |name: &str, value: Option<String>| value.map(|value| (name.to_owned(), value));
        let named = optional("scope", entry.scope).into_iter().chain(optional("audience", entry.audience));
        let resources = entry.resource.into_iter().map(|resource| ("resource".to_owned(), resource));
        let parameters = named.chain(resources).chain(entry.parameters).collect();
        Ok(Self { endpoint, client_id: entry.client_id, auth, grant, parameters, clock: ServerClock::default() })
    }
}

impl JsonSchema for OAuth2Source {
    fn schema_name() -> Cow<'static, str> {
        OAuth2Entry::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OAuth2Entry::json_schema(generator)
    }
}

impl ServerClock {
    /// Assertions have times in them, which the server compares with its own clock.
    fn now(&self) -> SystemTime {
        let (now, ahead) = (SystemTime::now(), self.0.load(Relaxed));
        let distance = Duration::from_secs(ahead.unsigned_abs());
        let there = if ahead < 0 { now.checked_sub(distance) } else { now.checked_add(distance) };
        there.unwrap_or(now)
    }

    fn set(&self, server_now: SystemTime) {
        let now = SystemTime::now();
        let seconds = |distance: Duration| i64::try_from(distance.as_secs()).unwrap_or_default();
        let ahead = match server_now.duration_since(now) {
            Ok(ahead) => seconds(ahead),
            Err(behind) => -seconds(behind.duration()),
        };
        self.0.store(ahead, Relaxed);
    }
}
