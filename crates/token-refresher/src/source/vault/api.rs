//! Requests to the API of Vault and OpenBao, and the meaning of statuses that only they have.

use endpoint::HttpRequest;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lifecycle::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::{exchange::Answer, exchange::server::Server, value::fetch_error::FetchError};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// An agent in between answers only requests that have this header, if it is set up so.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// One server, and one namespace of it
#[derive(Clone, Copy, Debug)]
pub(super) struct Api<'a> {
    pub(super) server: &'a Server,
    pub(super) namespace: Option<&'a Namespace>,
}

/// The path of a namespace, such as `team-a/billing`
#[derive(Clone, Debug, JsonSchema)]
#[serde(transparent)]
pub(super) struct Namespace(String);

/// A path of the API, without `/v1/`
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(transparent)]
pub(super) struct ApiPath(String);

impl Api<'_> {
    /// Reads a path, with a query such as `version=3`.
    pub(super) async fn read(self, path: &str, query: Option<&str>, token: &Secret) -> Result<Answer, FetchError> {
        self.send(Method::GET, path, query, Some(token), None, Vec::new()).await
    }

    /// Writes these texts to a path. `secrets` are those in the texts.
    pub(super) async fn write(
        self,
        path: &str,
        texts: &[(&str, &str)],
        token: Option<&Secret>,
        secrets: Vec<Secret>,
    ) -> Result<Answer, FetchError> {
        let object = texts.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text)));
        let body = Value::Object(object.collect()).to_string();
        self.send(Method::POST, path, None, token, Some(body), secrets).await
    }

    async fn send(
        self,
        method: Method,
        path: &str,
        query: Option<&str>,
        token: Option<&Secret>,
        body: Option<String>,
        mut secrets: Vec<Secret>,
    ) -> Result<Answer, FetchError> {
        let client = &self.server.0;
        let mut url = client.under(&format!("v1/{}", path.replace('%', "%25")));
        url.set_query(query);
        let mut headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_static("true"))]);
        if let Some(Namespace(namespace)) = self.namespace {
            let namespace = HeaderValue::from_str(namespace)
                .map_err(|_| FetchError::Input("the namespace makes no header".into()))?;
            headers.insert(NAMESPACE, namespace);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| FetchError::Input("the token is not one line: it cannot be one of this server".into()))?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
            secrets.push(token.clone());
        }
        let body = body.unwrap_or_default().into_bytes();
        Answer::to(client, HttpRequest { method, url, headers, body }, secrets).await
    }
}

/// The meaning of a status that is not one of success. Standby nodes of replicas answer with 472 and 473, and a node that does
/// not have the newest state yet with 412: all three pass. Another status of 4xx means that the server says no.
pub(super) fn error(answer: &Answer) -> FetchError {
    match (answer.status.as_u16(), answer.error()) {
        (412 | 472 | 473, error) => {
            FetchError::Unavailable { reason: error.to_string(), retry_after: answer.retry_after() }
        }
        (_, FetchError::BadAnswer(reason)) if answer.status.is_client_error() => FetchError::Refused(reason),
        (_, error) => error,
    }
}

impl ApiPath {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ApiPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        path(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// Reads the URL of a server, to which this client adds the prefix of the API.
pub(super) fn server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Server, D::Error> {
    let server = Server::deserialize(deserializer)?;
    let has_prefix = server.0.url().path().trim_end_matches('/').ends_with("/v1");
    if has_prefix { Err(D::Error::custom("write the address of the server without /v1")) } else { Ok(server) }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = path(&String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        if HeaderValue::from_str(&path).is_err() {
            return Err(D::Error::custom("this is not a namespace such as team-a/billing"));
        }
        Ok(Self(path))
    }
}

/// A path without slashes at its ends. A URL would lose parts of any other one.
fn path(text: &str) -> Result<String, &'static str> {
    let path = text.trim_matches('/');
    let is_lost = |part: &str| part.is_empty() || [".", ".."].contains(&part);
    if path.split('/').any(is_lost) || path.contains(|c: char| c.is_control() || ['?', '#', '\\'].contains(&c)) {
        return Err("this is not a path such as secret/billing/db");
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(path("/secret/billing/db/"), Ok("secret/billing/db".into()));
        assert_eq!(path("secret/a b%2F"), Ok("secret/a b%2F".into()));
        for wrong in ["", "/", "a//b", "a/../b", ".", "a?b", "a#b", "a\\b", "a\nb"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
