//! The API server: where it is, how to log in to it, and the meaning of its refusals.
//!
//! In a pod all of it comes from the service account; `server=URL` names another one.

use std::{fmt, path::Path, time::Duration};

use endpoint::{Address, LoginHeaders, Options, TlsClient, UrlLogin, one_line, without_secrets};
use http_body_util::Full;
use hyper::{
    HeaderMap, Request, StatusCode,
    header::{ACCEPT, HeaderValue},
};
use lifecycle::Exit;
use url::Url;

use super::{
    objects::Failure,
    resource::{LABEL_LIMIT, is_label},
};
use crate::{
    network::Network,
    not_ready::{Cause, NotReady},
    web::{self, Answer, Client},
};

/// Where the kubelet puts what a pod needs to ask the API server
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Bytes of the API server's words about a failure
const WORDS_LIMIT: usize = 64 * 1024;
/// The longest wait for a volume that hangs. The deadline of most attempts comes earlier.
const FILE_LIMIT: Duration = Duration::from_secs(600);

pub(super) struct Api {
    server: Result<Server, String>,
    /// Without it, that of the pod
    namespace: Option<String>,
}

struct Server {
    client: Client,
    /// Scheme, host, port, and a path where the API server is behind a proxy
    url: String,
    label: String,
    login: LoginHeaders,
    is_own: bool,
}

/// An answer that is no success
pub(super) struct Refusal {
    pub(super) status: Option<StatusCode>,
    /// Its words are those of the API server's authorization.
    pub(super) lacks_right: bool,
    pub(super) reason: NotReady,
}

impl Api {
    /// Takes `server`, `namespace`, the token, and the options of TLS. A pod's variables that are
    /// missing show at the first attempt, because a configuration may be checked elsewhere.
    pub(super) fn from_options(options: &mut Options) -> Result<Self, String> {
        let namespace = options.parsed("namespace", |text| {
            is_namespace(text).then(|| text.to_owned()).ok_or("this can't be the name of a namespace".to_owned())
        })?;
        let token = (options.text("token-file")?, options.text("token-env")?);
        let server = match options.text("server")? {
            Some(_) if namespace.is_none() => return Err("option server needs namespace=NAME".into()),
            Some(url) => Ok(Server::named(&url, token, options)?),
            None => {
                let ca = options.text("ca")?.unwrap_or_else(|| CA.to_owned());
                options.push("ca".into(), ca);
                let tls = TlsClient::from_options(options)?;
                let login = login((token.0.or_else(|| token.1.is_none().then(|| TOKEN.to_owned())), token.1))?;
                own_address().map(|address| Server::at(&address, tls, login))
            }
        };
        Ok(Self { server, namespace })
    }

    /// The namespace of the objects.
    pub(super) async fn namespace(&self) -> Result<String, NotReady> {
        if let Some(namespace) = &self.namespace {
            return Ok(namespace.clone());
        }
        self.server()?;
        let read = || lifecycle::read_text(Path::new(NAMESPACE), LABEL_LIMIT as u64 + 2);
        let text = lifecycle::on_volume_in_turn(Path::new(NAMESPACE), FILE_LIMIT, read).await?;
        text.ok().map(|text| text.trim().to_owned()).filter(|text| is_namespace(text)).ok_or_else(no_account)
    }

    /// Sends a GET. A token that is refused is read again once, because the kubelet may have
    /// renewed it. The headers that were sent come with the answer, which may repeat them.
    pub(super) async fn get(&self, network: &Network, path: &str) -> Result<(Answer, HeaderMap), Refusal> {
        let server = self.server()?;
        match server.get(network, path).await {
            Err(Refusal { status: Some(StatusCode::UNAUTHORIZED), .. }) if server.login.has_login() => {
                server.login.forget();
                server.get(network, path).await
            }
            answer => answer,
        }
    }

    fn server(&self) -> Result<&Server, NotReady> {
        self.server.as_ref().map_err(|reason| NotReady::new(Cause::Never(Exit::Usage), reason))
    }
}

impl Server {
    fn named(text: &str, token: (Option<String>, Option<String>), options: &mut Options) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.ok_or("option server: this is not a URL such as https://10.0.0.1:6443")?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || url.query().is_some() || url.fragment().is_some() {
            return Err("option server: a URL without login, query and fragment".into());
        }
        let address = Address::of(&url, None)?;
        let login = login(token)?;
        let tls = match url.scheme() {
            "https" => TlsClient::from_options(options)?,
            _ if login.has_login() => return Err("a token is sent by TLS only: write server=https://…".into()),
            _ => TlsClient::without_options()?,
        };
        let label = address.authority();
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client: Client::new(address.host, tls), url, label, login, is_own: false })
    }

    fn at(address: &Address, tls: TlsClient, login: LoginHeaders) -> Self {
        let label = address.authority();
        let url = format!("https://{label}");
        Self { client: Client::new(address.host.clone(), tls), url, label, login, is_own: true }
    }

    async fn get(&self, network: &Network, path: &str) -> Result<(Answer, HeaderMap), Refusal> {
        let login = self.login.current().await.map_err(|failure| self.without_account(failure.into()))?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() =
            format!("{}{path}", self.url).parse().map_err(|_| NotReady::never("the request is too long"))?;
        *request.headers_mut() = login.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.client.send(network, request).await.map_err(|failure| self.blame(failure))?;
        if answer.response.status().is_success() {
            Ok((answer, login))
        } else {
            Err(self.refusal(answer, &login).await)
        }
    }

    async fn refusal(&self, mut answer: Answer, login: &HeaderMap) -> Refusal {
        let status = answer.response.status();
        // With the rest that an overloaded server asks for
        let overloaded = web::refusal(status, answer.response.headers());
        let body = web::read(answer.response.body_mut(), WORDS_LIMIT).await;
        answer.leave().await;
        let is_cut = body.is_err();
        let body = body.unwrap_or_default();
        let failure: Failure = serde_json::from_slice(&body).unwrap_or_default();
        let words = one_line(&without_secrets(&failure.message, login));
        let label = &self.label;
        let is_anonymous = status == StatusCode::FORBIDDEN && words.contains("User \"system:anonymous\"");
        let lacks_right = status == StatusCode::FORBIDDEN && failure.kind == "Status" && !is_anonymous;
        let reason = match status {
            _ if status == StatusCode::UNAUTHORIZED || is_anonymous => {
                let reason = NotReady::denied(format!("the API server at {label} {}", self.unknown()));
                return Refusal { status: Some(StatusCode::UNAUTHORIZED), lacks_right, reason };
            }
            StatusCode::FORBIDDEN if is_cut => {
                NotReady::new(Cause::Odd, format!("the server at {label} answers {status}, and breaks off"))
            }
            StatusCode::FORBIDDEN if !lacks_right => {
                let words = "as no API server does: a proxy before it?";
                NotReady::denied(format!("the server at {label} answers {status}, {words}"))
            }
            StatusCode::FORBIDDEN => NotReady::denied(words),
            StatusCode::BAD_REQUEST if web::wants_tls(&body) => {
                NotReady::never(format!("the server at {label} wants TLS, so write server=https://"))
            }
            StatusCode::BAD_REQUEST => {
                let words = if words.is_empty() { status.to_string() } else { words };
                NotReady::new(Cause::Never(Exit::Usage), format!("the API server refuses the request: {words}"))
            }
            _ if status == StatusCode::NOT_FOUND || status.is_redirection() => {
                NotReady::new(Cause::Odd, format!("the server at {label} has no such API: is it an API server?"))
            }
            _ => {
                let words = if words.is_empty() { words } else { format!(": {words}") };
                let reason = format!("the API server at {label} answers {status}{words}");
                NotReady { cause: Cause::Busy, reason, ..overloaded }
            }
        };
        Refusal { status: Some(status), lacks_right, reason }
    }

    /// Why it knows no user
    fn unknown(&self) -> &'static str {
        match self.login.has_login() {
            true if self.is_own => "does not accept the token of the service account: does it still exist?",
            true => "does not accept the token: has it expired?",
            false => "wants a login: give token-file=PATH, or cert=PATH and key=PATH",
        }
    }

    /// A fault in the API server says nothing of the object, which must not count as gone.
    fn blame(&self, NotReady { cause, reason, .. }: NotReady) -> NotReady {
        match cause {
            Cause::UnknownName => NotReady::new(Cause::NoResolver, reason),
            Cause::Never(Exit::Usage) => self.without_account(NotReady::new(cause, reason)),
            Cause::Absent | Cause::Contrary => {
                NotReady::new(Cause::Odd, format!("the API server at {}: {reason}", self.label))
            }
            cause => NotReady::new(cause, format!("the API server at {}: {reason}", self.label)),
        }
    }

    /// A pod that got no service account has none of its files.
    fn without_account(&self, failure: NotReady) -> NotReady {
        let is_of_account = [TOKEN, CA].iter().any(|path| failure.reason.contains(path));
        let is_missing = failure.reason.to_ascii_lowercase().contains("no such file");
        if self.is_own && is_of_account && is_missing { no_account() } else { failure }
    }
}

impl From<NotReady> for Refusal {
    fn from(reason: NotReady) -> Self {
        Self { status: None, lacks_right: false, reason }
    }
}

/// No part of a login
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("Api").field(&self.server.as_ref().map(|server| &server.label)).field(&self.namespace).finish()
    }
}

fn own_address() -> Result<Address, String> {
    let missing = |error| format!("{error}: outside of a pod, name the API server by server=URL");
    let host = lifecycle::variable("KUBERNETES_SERVICE_HOST").map_err(missing)?;
    let port = lifecycle::variable("KUBERNETES_SERVICE_PORT").map_err(missing)?;
    let port = port.parse().map_err(|_| "KUBERNETES_SERVICE_PORT is not a port".to_owned())?;
    endpoint::check_name(&host)?;
    Ok(Address { host, port })
}

/// The token alone: other logins are not for API servers.
fn login((file, variable): (Option<String>, Option<String>)) -> Result<LoginHeaders, String> {
    let mut options = Options::default();
    let given = [("token-file", file), ("token-env", variable)];
    for (name, value) in given {
        if let Some(value) = value {
            options.push(name.to_owned(), value);
        }
    }
    LoginHeaders::from_options(&mut options, UrlLogin::default(), &[])
}

fn no_account() -> NotReady {
    let reason =
        "the pod has no service account: set automountServiceAccountToken: true, or give token-file=PATH and ca=PATH";
    NotReady::new(Cause::Never(Exit::Usage), reason)
}

fn is_namespace(text: &str) -> bool {
    text.len() <= LABEL_LIMIT && is_label(text)
}
