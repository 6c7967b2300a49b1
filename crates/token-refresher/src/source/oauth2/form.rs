//! The body of a token request, and the secrets in it.

use lifecycle::Secret;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// Pairs of a form
#[derive(Default)]
pub(super) struct Form {
    pairs: Vec<(String, Secret)>,
    secrets: Vec<Secret>,
}

impl Form {
    /// Adds a parameter that may be printed.
    pub(super) fn push(&mut self, name: &str, value: String) {
        self.pairs.push((name.to_owned(), Zeroizing::new(value).as_str().into()));
    }

    /// Adds a parameter that must not.
    pub(super) fn push_secret(&mut self, name: &str, value: Secret) {
        self.secrets.push(value.clone());
        self.pairs.push((name.to_owned(), value));
    }

    /// Keeps a secret that is sent in another place out of errors.
    pub(super) fn hide(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// The encoded form, and its secrets
    pub(super) fn finish(self) -> (Vec<u8>, Vec<Secret>) {
        let pairs = self.pairs.iter().map(|(name, value)| (name.as_str(), value.expose()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        (body.into_bytes(), self.secrets)
    }
}
