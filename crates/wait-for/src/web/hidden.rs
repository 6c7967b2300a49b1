//! The parts of a request that no message holds, although a server may repeat them.

use std::cmp::Reverse;

use endpoint::sent_secrets;
use http_body_util::Full;
use hyper::{
    Request,
    body::{Body, Bytes},
};
use lifecycle::Secret;
use url::form_urlencoded;

/// Removes the parts of a query from a server's text.
pub(crate) fn without_query(text: &str, query: &str) -> String {
    let mut parts = parts(query);
    // A short one can be the start of a longer one.
    parts.sort_by_key(|part| Reverse(part.expose().len()));
    parts.iter().fold(text.to_owned(), |text, part| part.blotted_out(&text))
}

fn parts(query: &str) -> Vec<Secret> {
    let decoded = form_urlencoded::parse(query.as_bytes()).flat_map(|(name, value)| [name, value]);
    let raw = query.split('&').flat_map(|pair| [pair].into_iter().chain(pair.split('=')));
    decoded.map(|part| Secret::from(&*part)).chain(raw.map(Secret::from)).collect()
}

/// What the target was sent, of which a server may make the host of a redirect
pub(super) struct Sent {
    host: String,
    secrets: Vec<Secret>,
    has_body: bool,
}

impl Sent {
    pub(super) fn of(request: &Request<Full<Bytes>>) -> Self {
        let uri = request.uri();
        // The parser of URLs writes hosts in small letters.
        let lower = |secret: Secret| Secret::from(&*secret.expose().to_lowercase());
        let secrets = sent_secrets(request.headers()).into_iter().chain(parts(uri.query().unwrap_or_default()));
        Self {
            host: uri.host().unwrap_or_default().to_owned(),
            secrets: secrets.map(lower).collect(),
            has_body: request.body().size_hint().exact() != Some(0),
        }
    }

    /// Whether another host than the target's may not be told. Any part of a body may be a secret.
    pub(super) fn may_be_in(&self, host: &str) -> bool {
        let repeats = |secret: &Secret| secret.blotted_out(host) != host;
        host != self.host && (self.has_body || self.secrets.iter().any(repeats))
    }
}
