//! `kubernetes-token`: a token of a service account with an audience and a life of its own, by the TokenRequest API.

#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use endpoint::{HttpClient, HttpRequest};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Value, json};

use crate::{
    exchange::Answer,
    exchange::server::Server,
    source::token_text::is_token,
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::fields::Fields,
    value::given::Given,
    value::input::{Input, Inputs},
    value::life,
};

/// Where the kubelet puts what a pod needs to ask the API server
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const OWN_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// The API server refuses a shorter life, and one of more than 2^32 seconds.
const SHORTEST: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);
const LIFE: Duration = Duration::from_secs(3600);

/// The settings of the source `kubernetes-token`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct KubernetesToken {
    /// The service account
    service_account: Name,
    /// Its namespace; by default the pod's own one
    namespace: Option<Name>,
    /// Who accepts the token; by default the API server itself
    #[serde(default)]
    #[schemars(length(max = 100))]
    audiences: Vec<String>,
    /// How long it is valid, 10 minutes or more
    #[serde(default = "usual_life", deserialize_with = "expiration")]
    #[schemars(with = "String", default = "usual_life_text")]
    expiration: Duration,
    /// The name of the pod with which the token ends, such as `{env: POD_NAME}`
    pod: Option<Given>,
    /// The API server; by default that of the pod's cluster
    url: Option<Server>,
    /// The token to ask with; by default the pod's own one, unless the options of `url` hold a login
    token: Option<Input>,
}

/// A name of an object: a label or a subdomain of DNS
#[derive(Clone, Debug, JsonSchema)]
#[serde(transparent)]
struct Name(String);

impl KubernetesToken {
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let client = self.client()?;
        let namespace = self.namespace(inputs).await?;
        let Name(account) = &self.service_account;
        let url = client.under(&format!("api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"));
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let mut secrets = Vec::new();
        if self.token.is_some() || !client.has_login() {
            let own = Input::File(PathBuf::from(OWN_TOKEN));
            let token = self.token.as_ref().unwrap_or(&own).read(inputs).await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| FetchError::Input("the token to ask with is not one line".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
            secrets.push(token);
        }
        let body = self.request(inputs).await?.to_string().into_bytes();
        let request = HttpRequest { method: Method::POST, url, headers, body };
        let answer = Answer::to(&client, request, secrets).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer, account, &namespace));
        }
        let mut fetched = read(&answer)?;
        // The server gives no more than it was asked for, but its clock may be wrong.
        fetched.life = fetched.life.map(|life| life.min(self.expiration));
        Ok(fetched)
    }

    /// Where it asks, as it may be printed
    pub(crate) fn label(&self) -> String {
        let in_cluster = || "the API server of the pod's cluster".to_owned();
        self.url.as_ref().map_or_else(in_cluster, |Server(client)| client.label())
    }

    pub(crate) fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.inputs().filter_map(Input::depends_on)
    }

    /// The API server; none where it is that of the pod's cluster
    pub(crate) fn server(&self) -> Option<&Server> {
        self.url.as_ref()
    }

    /// The files that each request reads
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let of_url = self.url.iter().flat_map(|Server(client)| client.files());
        let has_login = self.url.as_ref().is_some_and(|Server(client)| client.has_login());
        let own = [
            self.url.is_none().then_some(OWN_CA),
            (self.token.is_none() && !has_login).then_some(OWN_TOKEN),
            self.namespace.is_none().then_some(OWN_NAMESPACE),
        ];
        of_url.chain(own.into_iter().flatten().map(Path::new)).chain(self.inputs().filter_map(Input::file))
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.token.iter().chain(self.pod.as_ref().and_then(Given::input))
    }

    /// The client of the URL, or of the cluster that the pod is in
    fn client(&self) -> Result<HttpClient, FetchError> {
        if let Some(Server(client)) = &self.url {
            return Ok(client.clone());
        }
        let variable = |name| {
            let missing = |error| FetchError::Input(format!("{error}: outside of a pod, the source needs `url`"));
            lifecycle::variable(name).map_err(missing)
        };
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        HttpClient::from_text(&in_cluster(&host, &port))
            .map_err(|error| FetchError::Input(format!("KUBERNETES_SERVICE_HOST and _PORT make no URL: {error}")))
    }

    async fn namespace(&self, inputs: &Inputs) -> Result<String, FetchError> {
        if let Some(Name(namespace)) = &self.namespace {
            return Ok(namespace.clone());
        }
        let own = Input::File(PathBuf::from(OWN_NAMESPACE)).read(inputs).await?;
        let own = own.expose().trim();
        if is_name(own) {
            Ok(own.to_owned())
        } else {
            Err(FetchError::Input(format!("{OWN_NAMESPACE} does not hold the name of a namespace")))
        }
    }

    async fn request(&self, inputs: &Inputs) -> Result<Value, FetchError> {
        let mut spec = json!({"audiences": self.audiences, "expirationSeconds": self.expiration.as_secs()});
        if let Some(pod) = &self.pod {
            let name = pod.read(inputs).await?;
            spec["boundObjectRef"] = json!({"apiVersion": "v1", "kind": "Pod", "name": name.expose()});
        }
        Ok(json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}))
    }
}

fn in_cluster(host: &str, port: &str) -> String {
    let is_ipv6 = host.parse().is_ok_and(|address: IpAddr| address.is_ipv6());
    let host = if is_ipv6 { format!("[{host}]") } else { host.to_owned() };
    format!("https://{host}:{port}#ca={OWN_CA}")
}

/// The meaning of a status that is not one of success, with the remedy
fn refusal(answer: &Answer, account: &str, namespace: &str) -> FetchError {
    let error = answer.error();
    let remedy = match answer.status.as_u16() {
        401 => "the token to ask with is not accepted; has its service account been deleted?".to_owned(),
        403 => format!(
            "the service account of this pod needs a role with the verb create on serviceaccounts/token, \
             resourceNames [{account}], in the namespace {namespace}"
        ),
        404 => format!("is there a service account {account} in the namespace {namespace}?"),
        409 => "the pod that the token is bound to is not this one".to_owned(),
        _ => return error,
    };
    FetchError::Refused(format!("{error}; {remedy}"))
}

fn read(answer: &Answer) -> Result<Fetched, FetchError> {
    let document = answer.json()?;
    let status = &document["status"];
    let token = status["token"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| answer.bad("without status.token"))?;
    if !is_token(token) {
        return Err(answer.bad("wrong: its status.token holds what no token can"));
    }
    let expiry = life::moment(&status["expirationTimestamp"]);
    let life = expiry.and_then(|expiry| expiry.map(|expiry| life::until(expiry, answer.server_now)).transpose());
    let life = life.map_err(|fault| answer.bad(format_args!("wrong: status.expirationTimestamp is {fault}")))?;
    let life = life.ok_or_else(|| answer.bad("without status.expirationTimestamp"))?;
    Ok(Fetched { fields: Fields::single("token", token.into()), life: Some(life), renewable: false })
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if is_name(&name) { Ok(Self(name)) } else { Err(D::Error::custom("this is not a name such as billing")) }
    }
}

fn is_name(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= 253 && text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_fine))
}

fn expiration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let expiration = lifecycle::duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)?;
    if (SHORTEST..=LONGEST).contains(&expiration) {
        Ok(expiration)
    } else {
        Err(D::Error::custom("the API server gives tokens of 10 minutes or more"))
    }
}

fn usual_life() -> Duration {
    LIFE
}

fn usual_life_text() -> &'static str {
    "1h"
}
