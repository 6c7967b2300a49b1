//! The ways to log in to Vault and OpenBao.

use std::path::{Path, PathBuf};

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::ApiPath;
use crate::{
    value::fetch_error::FetchError,
    value::given::Given,
    value::input::{Input, Inputs},
};

/// The token of the pod's own service account
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A way to log in: exactly one key
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Method {
    /// The token of a service account
    Kubernetes(Kubernetes),
    /// A signed token of any issuer
    Jwt(Jwt),
    /// A role and its secret
    Approle(Approle),
    /// The client certificate that the options `cert` and `key` of the URL name
    Cert(Cert),
    /// A token that is there already: a file, a variable, or a secret whose source is `vault-login`
    Token(Input),
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Kubernetes {
    /// The role of the login
    role: String,
    /// The service account's token; by default the pod's own one
    jwt: Option<Input>,
    /// The path of the login; by default kubernetes
    mount: Option<ApiPath>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Jwt {
    /// The role of the login; by default the server's own choice
    role: Option<String>,
    /// The signed token
    #[serde(rename = "jwt")]
    token: Input,
    /// The path of the login; by default jwt
    mount: Option<ApiPath>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Approle {
    /// The role's ID
    role_id: Given,
    /// The secret ID, unless the role needs none
    secret_id: Option<Input>,
    /// The path of the login; by default approle
    mount: Option<ApiPath>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cert {
    /// The role of the login; by default any that the certificate fits
    role: Option<String>,
    /// The path of the login; by default cert
    mount: Option<ApiPath>,
}

/// What a login sends: the path, and texts by their names
pub(super) struct Credentials {
    pub(super) path: String,
    pub(super) texts: Vec<(&'static str, Secret)>,
}

impl Method {
    /// The credentials as they are now; none where there is a token already.
    pub(super) async fn credentials(&self, inputs: &Inputs) -> Result<Option<Credentials>, FetchError> {
        let mut texts = Vec::new();
        let (mount, usual) = match self {
            Self::Kubernetes(Kubernetes { role, jwt, mount }) => {
                let own = Input::File(PathBuf::from(OWN_TOKEN));
                texts.push(("role", role.as_str().into()));
                texts.push(("jwt", jwt.as_ref().unwrap_or(&own).read(inputs).await?));
                (mount, "kubernetes")
            }
            Self::Jwt(Jwt { role, token, mount }) => {
                texts.extend(role.as_deref().map(|role| ("role", role.into())));
                texts.push(("jwt", token.read(inputs).await?));
                (mount, "jwt")
            }
            Self::Approle(Approle { role_id, secret_id, mount }) => {
                texts.push(("role_id", role_id.read(inputs).await?));
                if let Some(secret_id) = secret_id {
                    texts.push(("secret_id", secret_id.read(inputs).await?));
                }
                (mount, "approle")
            }
            Self::Cert(Cert { role, mount }) => {
                texts.extend(role.as_deref().map(|role| ("name", role.into())));
                (mount, "cert")
            }
            Self::Token(_) => return Ok(None),
        };
        let mount = mount.as_ref().map_or(usual, ApiPath::as_str);
        Ok(Some(Credentials { path: format!("auth/{mount}/login"), texts }))
    }

    /// The token that is there already
    pub(super) fn token(&self) -> Option<&Input> {
        if let Self::Token(token) = self { Some(token) } else { None }
    }

    pub(super) fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.inputs().filter_map(Input::depends_on)
    }

    /// The files that each login reads
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let own = match self {
            Self::Kubernetes(Kubernetes { jwt: None, .. }) => Some(Path::new(OWN_TOKEN)),
            _ => None,
        };
        self.inputs().filter_map(Input::file).chain(own)
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        let inputs = match self {
            Self::Kubernetes(kubernetes) => [kubernetes.jwt.as_ref(), None],
            Self::Jwt(jwt) => [Some(&jwt.token), None],
            Self::Approle(approle) => [approle.role_id.input(), approle.secret_id.as_ref()],
            Self::Cert(_) => [None, None],
            Self::Token(token) => [Some(token), None],
        };
        inputs.into_iter().flatten()
    }
}
