//! What the client shows for a token: itself, a refresh token, or an assertion (RFC 6749, sections 4.4 and 6; RFC 7523).

use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use super::{entry::SignedAssertion, form::Form, refresh_token::RefreshToken, signer::Signer};
use crate::{
    value::fetch_error::FetchError,
    value::input::{Input, Inputs},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A grant
#[derive(Clone, Debug)]
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken(RefreshToken),
    /// Signed by another party
    Assertion(Input),
    /// Signed by our key, with these claims
    Signed {
        signer: Signer,
        claims: Value,
        audience: Option<String>,
    },
}

impl Grant {
    /// A grant with an assertion of our own.
    pub(super) fn signed(signer: Signer, entry: SignedAssertion, client: Option<&str>) -> Result<Self, &'static str> {
        let issuer =
            entry.issuer.as_deref().or(client).ok_or("signed-assertion has no issuer, and there is no client-id")?;
        let mut claims = json!(entry.claims);
        claims["iss"] = issuer.into();
        claims["sub"] = entry.subject.as_deref().unwrap_or(issuer).into();
        Ok(Self::Signed { signer, claims, audience: entry.audience })
    }

    /// Adds the grant to a request that goes out now.
    pub(super) async fn add_to(
        &self,
        form: &mut Form,
        audience: &str,
        now: SystemTime,
        inputs: &Inputs,
    ) -> Result<(), FetchError> {
        match self {
            Self::ClientCredentials => form.push("grant_type", "client_credentials".into()),
            Self::RefreshToken(token) => {
                form.push("grant_type", "refresh_token".into());
                form.push_secret("refresh_token", token.take(Instant::now(), inputs).await?);
            }
            Self::Assertion(input) => {
                form.push("grant_type", JWT_BEARER.into());
                form.push_secret("assertion", input.read(inputs).await?);
            }
            Self::Signed { signer, claims, audience: own } => {
                let mut claims = claims.clone();
                claims["aud"] = own.as_deref().unwrap_or(audience).into();
                form.push("grant_type", JWT_BEARER.into());
                form.push_secret("assertion", signer.assertion(claims, now, inputs).await?);
            }
        }
        Ok(())
    }

    /// Where it is read from
    pub(super) fn input(&self) -> Option<&Input> {
        match self {
            Self::ClientCredentials => None,
            Self::RefreshToken(token) => Some(token.given()),
            Self::Assertion(input) => Some(input),
            Self::Signed { signer, .. } => Some(&signer.key),
        }
    }
}
