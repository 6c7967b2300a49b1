//! Assertions that our key signs, for the login of a client and for grants.

use std::time::{Duration, SystemTime};

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::signing_key::{Algorithm, SigningKey, unique_id};
use crate::{
    value::fetch_error::FetchError,
    value::input::{Input, Inputs},
};

/// Enough for a request and for clocks that differ; servers refuse assertions that live long.
const LIFE: Duration = Duration::from_secs(60);

/// A private key and how it signs
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Signer {
    /// The key in PEM
    pub(super) key: Input,
    /// Without it the usual one for the kind of key
    algorithm: Option<Algorithm>,
    /// The header `kid`, by which the server finds the public key
    key_id: Option<String>,
}

impl Signer {
    /// An assertion with these claims, a life from `now` on, and an identifier that no other one has.
    pub(super) async fn assertion(
        &self,
        mut claims: Value,
        now: SystemTime,
        inputs: &Inputs,
    ) -> Result<Secret, FetchError> {
        let pem = self.key.read(inputs).await?;
        let fault = |fault: &str| FetchError::Input(format!("private-key: {fault}"));
        let key = SigningKey::from_pem(&pem, self.algorithm).map_err(fault)?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        claims["iat"] = json!(now.as_secs());
        claims["exp"] = json!((now + LIFE).as_secs());
        claims["jti"] = json!(unique_id().map_err(fault)?);
        key.jwt(self.key_id.as_deref(), &claims).map_err(fault)
    }
}
