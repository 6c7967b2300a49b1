//! One HTTP client for one server, on our own TLS, name lookups and logins.
//!
//! The library carries requests; this file decides what it may do by itself: no redirect, no retry, no kept connection, and a
//! proxy from the environment only where the URL asks for one. A request is therefore sent once, or not at all.
//!
//! Long because one client holds the URL, login, TLS and connections of its server.

mod cause;
mod lookup;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING},
};
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio::time;
use url::{Host, Url};

use self::{cause::failure, lookup::Lookup};
use crate::{
    address::Address,
    failure::Failure,
    label::url_label,
    login::{LoginHeaders, UrlLogin},
    login_in_query::refuse_login_in_query,
    mark::mark,
    names::Names,
    options::Options,
    socket_url::split_http_unix,
    tls::TlsClient,
    unix,
};

/// The options that [`HttpClient`] takes beside [`TLS_OPTIONS`](crate::TLS_OPTIONS) and
/// [`LOGIN_OPTIONS`](crate::LOGIN_OPTIONS)
pub const HTTP_OPTIONS: [&str; 1] = ["env-proxy"];
/// A server that accepts connections does so in a tenth of this.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The headers that belong to the connection, not to the user
pub const CONNECTION_HEADERS: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Sends requests to the server that a URL names, and to others that it leads to. Clones share everything.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    /// The URL without login and fragment; the query stays. For a socket, `http://localhost/…`
    url: Url,
    label: String,
    /// The Unix socket that gets all requests instead of the URL's host
    socket: Option<PathBuf>,
    tls: TlsClient,
    login: LoginHeaders,
    env_proxy: bool,
    /// Of the URL and all its options
    mark: u64,
    names: Arc<Names>,
    /// The library's client, and the TLS settings that it was made with
    built: Mutex<Option<(Arc<ClientConfig>, reqwest::Client)>>,
}

/// One request
pub struct HttpRequest {
    /// GET, POST …
    pub method: Method,
    /// Mostly made by [`HttpClient::under`]. The URL's login is sent to the client's own origin only.
    pub url: Url,
    /// They replace headers of the URL's options that have the same name.
    pub headers: HeaderMap,
    /// Whole; empty for none
    pub body: Vec<u8>,
}

/// A whole answer
pub struct HttpAnswer {
    /// Redirects are answers, too.
    pub status: StatusCode,
    /// As the server sent them
    pub headers: HeaderMap,
    /// Within the limit of the request
    pub body: Vec<u8>,
    /// The headers of the request, login included, for [`without_secrets`](crate::without_secrets)
    pub sent: HeaderMap,
}

impl HttpClient {
    /// Reads a URL with its options in the fragment, and refuses options that are not the client's. The URL is `http://`,
    /// `https://`, or `http+unix:///run/app.sock:/path` for a UNIX socket.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        Self::from_parts(url, Options::from_fragment(fragment)?)
    }

    /// The same of a URL and its options apart, as [`Written`](crate::Written) has them.
    pub fn from_parts(url: &str, mut options: Options) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => "this is not a URL of http:// or https://".to_owned(),
            _ => format!("this is not a URL: {error}"),
        })?;
        let client = Self::from_url(&url, &mut options)?;
        let tls = (url.scheme() != "https").then_some("write https://");
        let known: Vec<_> = Self::options().map(|option| option.split('=').next().unwrap_or(option)).collect();
        options.finish(url.scheme(), &known, tls)?;
        Ok(client)
    }

    /// Takes the client's options and leaves the others. No file is read.
    pub fn from_url(url: &Url, options: &mut Options) -> Result<Self, String> {
        let mark = mark(&(url.as_str(), &*options));
        let tls = match url.scheme() {
            "https" => TlsClient::from_options(options)?,
            "http" | "http+unix" => TlsClient::without_options()?,
            _ => return Err("this is not a URL of http:// or https://".into()),
        };
        let label = url_label(url.as_str());
        let (socket, url) = match url.scheme() {
            "http+unix" => split_http_unix(url).map(|(socket, url)| (Some(socket), url))?,
            _ => (None, url.clone()),
        };
        Address::of(&url, None)?;
        refuse_login_in_query(&url)?;
        let login = LoginHeaders::from_options(options, url_login(&url)?, &CONNECTION_HEADERS)?;
        let env_proxy = options.switch("env-proxy")?;
        if let Some(sni) = tls.sni() {
            // The library takes the name from the URL; an address in its place is dialed without a lookup.
            if matches!(Host::parse(sni), Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_)) {
                return Err("option sni: an address can't stand here".into());
            }
            if env_proxy {
                return Err("options sni and env-proxy exclude each other".into());
            }
        }
        if env_proxy && socket.is_some() {
            return Err("option env-proxy: no proxy leads to a socket".into());
        }
        let mut url = url;
        url.set_fragment(None);
        // Cannot fail: URLs of HTTP have a host.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let (names, built) = (Arc::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { url, label, socket, tls, login, env_proxy, mark, names, built })))
    }

    /// All options that [`from_text`](Self::from_text) takes
    pub fn options() -> impl Iterator<Item = &'static str> {
        crate::TLS_OPTIONS.into_iter().chain(crate::LOGIN_OPTIONS).chain(HTTP_OPTIONS)
    }

    /// The server's URL, without login and options; on a socket, `http://localhost/…`
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The server's URL, as it may be printed
    pub fn label(&self) -> String {
        self.0.label.clone()
    }

    /// The common part of all URLs of one server: scheme, host and port, or `http+unix://` and the socket's path
    pub fn origin(&self) -> String {
        match &self.0.socket {
            Some(socket) => format!("http+unix://{}", socket.display()),
            None => self.0.url.origin().ascii_serialization(),
        }
    }

    /// The URL of a path below the server's own one
    pub fn under(&self, path: &str) -> Url {
        let mut url = self.0.url.clone();
        url.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/')));
        url
    }

    /// Whether the options or the URL hold a login
    pub fn has_login(&self) -> bool {
        self.0.login.has_login()
    }

    /// The files that the options name
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.tls.files().chain(self.0.login.files())
    }

    /// Sends the request once, and reads the answer up to `body_limit` bytes, all of it before the deadline.
    pub async fn send(
        &self,
        request: HttpRequest,
        deadline: Duration,
        body_limit: usize,
    ) -> Result<HttpAnswer, Failure> {
        self.send_within(request, deadline, |length| within(body_limit, length)).await
    }

    /// The same with a limit that may change: `judge` gets each length that the body is about to have, and ends the exchange by an
    /// error.
    pub async fn send_within(
        &self,
        request: HttpRequest,
        deadline: Duration,
        judge: impl FnMut(usize) -> Result<(), Failure> + Send,
    ) -> Result<HttpAnswer, Failure> {
        match time::timeout(deadline, self.exchange(request, judge)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.0.names.unanswered().unwrap_or(Failure::Silent)),
        }
    }

    async fn exchange(
        &self,
        request: HttpRequest,
        mut judge: impl FnMut(usize) -> Result<(), Failure>,
    ) -> Result<HttpAnswer, Failure> {
        let client = self.client().await?;
        let is_own = request.url.origin() == self.0.url.origin();
        if let Some(socket) = &self.0.socket {
            if !is_own {
                let text = "a socket leads to one server only".to_owned();
                return Err(Failure::Io { kind: ErrorKind::InvalidInput, text });
            }
            unix::walk(socket).await?;
        }
        let (mut url, mut headers) = (request.url, HeaderMap::new());
        if is_own {
            headers = self.0.login.current().await?;
            self.ask_for_name(&mut url, &mut headers)?;
        }
        headers.extend(request.headers);
        if request.body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(&request.method) {
            // The library leaves the header out, and servers may answer 411 then (RFC 9110, section 8.6).
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut built = client.request(request.method, url).headers(headers.clone());
        if !request.body.is_empty() {
            built = built.body(request.body);
        }
        let mut answer = built.send().await.map_err(|error| failure(&error))?;
        let status = answer.status();
        if is_own && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            self.0.login.forget();
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| failure(&error))? {
            judge(body.len() + part.len())?;
            body.extend_from_slice(&part);
        }
        Ok(HttpAnswer { status, headers: std::mem::take(answer.headers_mut()), body, sent: headers })
    }

    /// Puts the option `sni` in the host's place, which stays in the header Host and in the lookup.
    fn ask_for_name(&self, url: &mut Url, headers: &mut HeaderMap) -> Result<(), Failure> {
        let Some(sni) = self.0.tls.sni() else { return Ok(()) };
        let fault = |text: &str| Failure::Io { kind: ErrorKind::InvalidInput, text: text.to_owned() };
        let authority = url.authority().to_owned();
        let authority = HeaderValue::try_from(authority).map_err(|_| fault("the host makes no header"))?;
        headers.insert(HOST, authority);
        url.set_host(Some(sni)).map_err(|_| fault("option sni: this is not a host name"))
    }

    /// The library's client, made again when a file of the TLS options has changed
    async fn client(&self) -> Result<reqwest::Client, Failure> {
        let config = self.0.tls.config().await?;
        let mut built = self.0.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_with, client)) = &*built
            && Arc::ptr_eq(made_with, &config)
        {
            return Ok(client.clone());
        }
        let client = self.build(&config).map_err(|error| failure(&error))?;
        *built = Some((config, client.clone()));
        Ok(client)
    }

    fn build(&self, config: &Arc<ClientConfig>) -> reqwest::Result<reqwest::Client> {
        let real_host = self.0.tls.sni().and(self.0.url.host_str()).map(str::to_owned);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(config))
            .dns_resolver(Lookup::new(self.0.names.clone(), self.0.tls.sni(), real_host))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Requests are minutes apart: a kept connection would be closed by then, and the request lost in it.
            .pool_max_idle_per_host(0)
            .referer(false)
            .connect_timeout(CONNECT_LIMIT);
        if let Some(socket) = &self.0.socket {
            builder = builder.unix_socket(socket.as_path());
        }
        if self.0.env_proxy { builder.build() } else { builder.no_proxy().build() }
    }
}

/// No option and no login, but equal only where all of them are equal
impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_alternate = f.alternate();
        let mut text = f.debug_tuple("HttpClient");
        text.field(&self.label());
        // The alternate text is the same in each process, and so it can hold nothing that differs with a secret.
        if is_alternate { text.field(&self.files().collect::<Vec<_>>()) } else { text.field(&self.0.mark) }.finish()
    }
}

/// Only the status: the rest may hold a secret.
impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("HttpAnswer").field(&self.status).finish()
    }
}

/// Refuses a body that is longer than its limit.
fn within(body_limit: usize, length: usize) -> Result<(), Failure> {
    if length <= body_limit {
        return Ok(());
    }
    let text = format!("the answer is longer than {body_limit} bytes");
    Err(Failure::Io { kind: ErrorKind::FileTooLarge, text })
}

/// The login that stands in the URL itself
fn url_login(url: &Url) -> Result<UrlLogin, String> {
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("the URL's user or password is not UTF-8".to_owned()),
    };
    let user = Some(decode(url.username())?).filter(|user| !user.is_empty());
    let password = url.password().map(decode).transpose()?.map(|text| text.as_str().into());
    Ok(UrlLogin { user, password })
}
