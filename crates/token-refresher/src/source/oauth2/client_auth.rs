//! How a client logs in at the token endpoint (RFC 6749, section 2.3; RFC 7523, section 2.2; RFC 8705, section 2).

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use lifecycle::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::{form::Form, signer::Signer};
use crate::{
    value::fetch_error::FetchError,
    value::input::{Input, Inputs},
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The names of the methods as servers list them (IANA, OAuth Token Endpoint Authentication Methods)
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    /// The certificate is in the options `cert` and `key` of the URL
    TlsClientAuth,
    /// A public client
    None,
}

/// A method with what it needs
#[derive(Clone, Debug)]
pub(super) enum ClientAuth {
    Basic(Input),
    Post(Input),
    /// Our key, and whom the assertion is addressed to where that is not what the endpoint says
    PrivateKey(Signer, Option<String>),
    /// The certificate of the connection, or nothing
    IdAlone,
}

impl ClientAuth {
    /// The method of the settings, or the one that fits to what they hold.
    pub(super) fn new(
        method: Option<Method>,
        secret: Option<Input>,
        key: Option<Signer>,
        audience: Option<String>,
    ) -> Result<Self, &'static str> {
        let usual = match (&secret, &key) {
            (Some(_), None) => Method::ClientSecretBasic,
            (None, Some(_)) => Method::PrivateKeyJwt,
            (Some(_), Some(_)) => return Err("client-secret and private-key exclude each other"),
            (None, None) => Method::None,
        };
        let method = method.unwrap_or(usual);
        if audience.is_some() && method != Method::PrivateKeyJwt {
            return Err("assertion-audience is for a client that logs in by private_key_jwt");
        }
        match (method, secret, key) {
            (Method::ClientSecretBasic, Some(secret), _) => Ok(Self::Basic(secret)),
            (Method::ClientSecretPost, Some(secret), _) => Ok(Self::Post(secret)),
            (Method::ClientSecretBasic | Method::ClientSecretPost, None, _) => Err("client-secret is missing"),
            (Method::PrivateKeyJwt, _, Some(key)) => Ok(Self::PrivateKey(key, audience)),
            (Method::PrivateKeyJwt, _, None) => Err("private-key is missing"),
            (Method::TlsClientAuth | Method::None, None, None) => Ok(Self::IdAlone),
            _ => Err("client-auth does not take a client-secret or a private-key"),
        }
    }

    /// Adds the login to a request that goes out at this moment of the server's clock.
    pub(super) async fn log_in(
        &self,
        id: &str,
        audience: &str,
        now: SystemTime,
        inputs: &Inputs,
        form: &mut Form,
    ) -> Result<HeaderMap, FetchError> {
        let mut headers = HeaderMap::new();
        match self {
            Self::Basic(secret) => {
                let secret = secret.read(inputs).await?;
                headers.insert(AUTHORIZATION, basic(id, &secret)?);
                form.hide(secret);
            }
            Self::Post(secret) => {
                form.push("client_id", id.into());
                form.push_secret("client_secret", secret.read(inputs).await?);
            }
            Self::PrivateKey(signer, own) => {
                let audience = own.as_deref().unwrap_or(audience);
                let claims = json!({"iss": id, "sub": id, "aud": audience});
                form.push("client_id", id.into());
                form.push("client_assertion_type", ASSERTION_TYPE.into());
                form.push_secret("client_assertion", signer.assertion(claims, now, inputs).await?);
            }
            Self::IdAlone => form.push("client_id", id.into()),
        }
        Ok(headers)
    }

    /// Where secrets are read from
    pub(super) fn input(&self) -> Option<&Input> {
        match self {
            Self::Basic(secret) | Self::Post(secret) => Some(secret),
            Self::PrivateKey(signer, _) => Some(&signer.key),
            Self::IdAlone => None,
        }
    }
}

/// Both parts are form-encoded first (RFC 6749, section 2.3.1), so that a colon in the identifier separates nothing.
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, FetchError> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret.expose())));
    let mut value = HeaderValue::try_from(format!("Basic {credentials}"))
        .map_err(|_| FetchError::Input("client-secret: this makes no header".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_form_encoded() {
        // The second example is that of RFC 6749, section 2.3.1.
        for (id, secret, decoded) in [
            ("a:b", "p%q r+ü", "a%3Ab:p%25q+r%2B%C3%BC"),
            ("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "s6BhdRkqt3:7Fjfp0ZBr1KtDRbnfVdmIw"),
        ] {
            let header = basic(id, &secret.into()).unwrap();
            assert!(header.is_sensitive());
            let credentials = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
            assert_eq!(BASE64_STANDARD.decode(credentials).unwrap(), decoded.as_bytes());
        }
    }

    #[test]
    fn a_method_needs_what_it_needs() {
        let secret = || Some(Input::Env("SECRET".into()));
        let of = |method, secret| ClientAuth::new(method, secret, None, None);
        assert!(matches!(of(None, secret()), Ok(ClientAuth::Basic(_))));
        assert!(matches!(of(Some(Method::ClientSecretPost), secret()), Ok(ClientAuth::Post(_))));
        assert!(matches!(of(None, None), Ok(ClientAuth::IdAlone)));
        assert!(matches!(of(Some(Method::TlsClientAuth), None), Ok(ClientAuth::IdAlone)));
        assert_eq!(of(Some(Method::ClientSecretBasic), None).err(), Some("client-secret is missing"));
        assert_eq!(of(Some(Method::PrivateKeyJwt), None).err(), Some("private-key is missing"));
        assert!(of(Some(Method::TlsClientAuth), secret()).is_err());
        let ignored = ClientAuth::new(None, secret(), None, Some("audience".into()));
        assert_eq!(ignored.err(), Some("assertion-audience is for a client that logs in by private_key_jwt"));
    }
}
