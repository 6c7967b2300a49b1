//! The settings of the source `oauth2`, as they are written.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{client_auth::Method, issuer::Issuer, signer::Signer};
use crate::{exchange::server::Server, value::input::Input};

/// Tokens of OAuth 2.0
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OAuth2Entry {
    /// The issuer, whose metadata names the token endpoint
    pub(super) issuer: Option<Issuer>,
    /// The token endpoint itself, instead of an issuer
    pub(super) token_endpoint: Option<Server>,
    /// Send secrets in the clear to a server that is not on this host
    #[serde(default)]
    pub(super) insecure_http: bool,
    pub(super) client_id: Option<String>,
    /// How the client logs in; without it as its secret or its key asks for
    pub(super) client_auth: Option<Method>,
    pub(super) client_secret: Option<Input>,
    /// The key that signs assertions
    pub(super) private_key: Option<Signer>,
    /// Whom the client's assertion is addressed to, where that is neither the issuer nor the named endpoint
    pub(super) assertion_audience: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    /// Resource indicators (RFC 8707)
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(super) resource: Vec<String>,
    /// Further parameters of the request, which may be printed
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    /// The grant of a refresh token: the one that a user's login gave
    pub(super) refresh_token: Option<Input>,
    /// Where the newest refresh token is kept when the server rotates them
    pub(super) rotated_token_file: Option<PathBuf>,
    /// The grant of RFC 7523: an assertion that another party has signed
    pub(super) assertion: Option<Input>,
    /// The grant of RFC 7523: an assertion that private-key signs
    pub(super) signed_assertion: Option<SignedAssertion>,
}

/// The claims of an assertion that our key signs
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SignedAssertion {
    /// Who signs; without it the client
    pub(super) issuer: Option<String>,
    /// For whom the token is; without it for the issuer of the assertion
    pub(super) subject: Option<String>,
    /// Without it the issuer, or the named endpoint
    pub(super) audience: Option<String>,
    /// Further claims
    #[serde(default)]
    pub(super) claims: BTreeMap<String, String>,
}
