//! The URL of an upstream, and the login that stands beside it.

pub(crate) mod login;

use std::{fmt, io::ErrorKind, str::FromStr, sync::Arc};

use endpoint::{Address, Failure, Options, TLS_OPTIONS, TlsClient};
use http::HeaderValue;
use schemars::{Schema, json_schema};
use url::Url;

use self::login::Login;
use crate::{
    route::upstream_address::UpstreamAddress,
    transport::{Transport, socket::Socket},
};

/// An upstream with the login of a route, as `https://HOST[:PORT]#token-file=PATH`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamEntry {
    pub(crate) url: UpstreamUrl,
    pub(crate) login: Option<Arc<Login>>,
}

/// An upstream, as `http://HOST[:PORT]`, `https://HOST[:PORT]` or `http+unix:///PATH`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    pub(crate) address: UpstreamAddress,
    /// As `Host` has it: without the port of the scheme
    pub(crate) authority: HeaderValue,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) versions: Versions,
    /// Whether calls of gRPC may be made twice that it ends with UNAVAILABLE
    pub(crate) repeats_unavailable: bool,
}

/// The versions of HTTP that may be spoken with an upstream
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Versions {
    /// HTTP/2 where TLS agrees on it, and else HTTP/1.1
    #[default]
    Any,
    Http1,
    Http2,
}

const WRITE: &str = "write it as http://HOST[:PORT], https://HOST[:PORT] or http+unix:///PATH";

impl UpstreamEntry {
    /// From a URL and options that stand beside it
    pub(crate) fn with_options(url: &str, mut options: Options) -> Result<Self, String> {
        let url = UpstreamUrl::with_options(url, &mut options)?;
        Ok(Self { url, login: Login::of(options)?.map(Arc::new) })
    }
}

impl FromStr for UpstreamEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        Self::with_options(url, Options::from_fragment(fragment)?)
    }
}

/// The options that an upstream takes, without those of its login
pub(crate) fn option_names() -> impl Iterator<Item = &'static str> {
    tls_option_names().chain(own_options().map(|(name, _)| name))
}

pub(crate) fn tls_option_names() -> impl Iterator<Item = &'static str> {
    TLS_OPTIONS.iter().map(|option| option.split_once('=').map_or(*option, |(name, _)| name))
}

/// The options that only the proxy has, with their schemas
pub(crate) fn own_options() -> impl Iterator<Item = (&'static str, Schema)> {
    let http = json_schema!({
        "description": "The version of HTTP: auto is HTTP/2 where TLS agrees on it, and otherwise HTTP/1.1; 2 without TLS is HTTP/2 by \
                        prior knowledge, as servers of gRPC need it",
        "enum": ["auto", "1", "2", 1, 2],
        "default": "auto",
    });
    let grpc_retry = json_schema!({
        "description": "When to make a call of gRPC twice that ends with UNAVAILABLE: where the upstream or the client asks for it, or always",
        "enum": ["asked", "unavailable"],
        "default": "asked",
    });
    [("http", http), ("grpc-retry", grpc_retry)].into_iter()
}

impl Versions {
    /// The application protocols to offer (ALPN)
    fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Any => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
        }
    }

    fn of(options: &mut Options) -> Result<Self, String> {
        let versions = options.parsed("http", |text| match text {
            "1" => Ok(Self::Http1),
            "2" => Ok(Self::Http2),
            "auto" => Ok(Self::Any),
            _ => Err("write 1, 2 or auto".to_owned()),
        })?;
        Ok(versions.unwrap_or_default())
    }
}

impl UpstreamUrl {
    /// Whether a connection may speak HTTP/2; with TLS, the upstream decides.
    pub(crate) fn may_speak_http2(&self) -> bool {
        match self.versions {
            Versions::Any => self.tls.is_some(),
            Versions::Http1 => false,
            Versions::Http2 => true,
        }
    }

    /// The connection as HTTP uses it: with TLS where the URL says so, which offers these versions
    pub(crate) async fn secure(&self, socket: Socket, versions: Versions) -> Result<Transport, Failure> {
        let (Some(tls), UpstreamAddress::Tcp(address)) = (&self.tls, &self.address) else { return Ok(socket.into()) };
        // The name was judged with the URL.
        let name = tls.name_for(&address.host).map_err(|text| Failure::Io { kind: ErrorKind::InvalidInput, text })?;
        Ok(tls.connect(name, socket, versions.protocols()).await?.into())
    }

    fn with_options(text: &str, options: &mut Options) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => WRITE.to_owned(),
            url::ParseError::EmptyHost => format!("{error}: {WRITE}, an IPv6 address in brackets"),
            _ => format!("{error}: {WRITE}"),
        })?;
        let (address, authority) = match url.scheme() {
            "http" | "https" => network(&url)?,
            "http+unix" => socket(&url)?,
            "unix" => return Err("write a socket as http+unix:///PATH".into()),
            _ => return Err(WRITE.into()),
        };
        let tls = (url.scheme() == "https").then(|| TlsClient::from_options(options)).transpose()?;
        if let (Some(tls), UpstreamAddress::Tcp(address)) = (&tls, &address) {
            tls.name_for(&address.host)?;
        }
        let repeats_unavailable = options.parsed("grpc-retry", |text| match text {
            "asked" => Ok(false),
            "unavailable" => Ok(true),
            _ => Err("write asked or unavailable".to_owned()),
        })?;
        let repeats_unavailable = repeats_unavailable.unwrap_or_default();
        Ok(Self { address, authority, tls, versions: Versions::of(options)?, repeats_unavailable })
    }
}

/// The host of a URL with its port, and as `Host` has it
fn network(url: &Url) -> Result<(UpstreamAddress, HeaderValue), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL holds no user and no password: write user=NAME and password-file=PATH as options".into());
    }
    endpoint::refuse_login_in_query(url)?;
    refuse_path(url, "http://HOST[:PORT] or https://HOST[:PORT]")?;
    let address = Address::of(url, None)?;
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let authority = HeaderValue::try_from(authority).map_err(|_| "the host is no host name".to_owned())?;
    Ok((UpstreamAddress::Tcp(address), authority))
}

/// The socket of `http+unix:///run/app.sock`, which has no host: its requests name `localhost`.
fn socket(url: &Url) -> Result<(UpstreamAddress, HeaderValue), String> {
    let (path, asked) = endpoint::split_http_unix(url)?;
    endpoint::refuse_login_in_query(&asked)?;
    refuse_path(&asked, "http+unix:///PATH")?;
    Ok((UpstreamAddress::Unix(path), HeaderValue::from_static("localhost")))
}

fn refuse_path(url: &Url, write: &str) -> Result<(), String> {
    if ["", "/"].contains(&url.path()) && url.query().is_none() && url.fragment().is_none() {
        return Ok(());
    }
    let why = "an upstream has no path and no query, because the path of each request goes on as it came";
    Err(format!("{why}: write {write}"))
}

/// With the port, and without options
impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let scheme = match (&self.address, &self.tls) {
            (UpstreamAddress::Unix(_), _) => "http+unix",
            (UpstreamAddress::Tcp(_), None) => "http",
            (UpstreamAddress::Tcp(_), Some(_)) => "https",
        };
        write!(f, "{scheme}://{}", self.address.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        let upstream = |text: &str| UpstreamUrl::with_options(text, &mut Options::default());
        assert_eq!(upstream("http://api").unwrap().authority, "api");
        assert_eq!(upstream("http://[::1]:8080/").unwrap().authority, "[::1]:8080");
        let socket = upstream("http+unix:///run/app.sock").unwrap();
        assert_eq!(
            (socket.address, socket.authority),
            (UpstreamAddress::Unix("/run/app.sock".into()), "localhost".parse().unwrap())
        );
        assert!(upstream("http+unix:///run/app.sock:/api").unwrap_err().ends_with("write http+unix:///PATH"));
        assert!(upstream("unix:/run/app.sock").unwrap_err().contains("http+unix:///PATH"));
        for bare in ["127.0.0.1:8080", "localhost:8080", "api"] {
            assert_eq!(upstream(bare).unwrap_err(), WRITE, "{bare}");
        }
        let with_retry = |text: &str| format!("http://api#grpc-retry={text}").parse::<UpstreamEntry>();
        let repeats = |text| with_retry(text).unwrap().url.repeats_unavailable;
        assert!(!repeats("asked") && repeats("unavailable"));
        assert!(with_retry("always").unwrap_err().contains("write asked or unavailable"));
        assert!(upstream("http://::1:8080").unwrap_err().contains("in brackets"));
        assert!(upstream("http://a:99999").unwrap_err().contains(WRITE));
        let entry = |text: &str| text.parse::<UpstreamEntry>();
        for text in ["http://api", "https://api#ca=/ca.pem&sni=b&http=2", "http://api#grpc-retry=unavailable"] {
            assert_eq!(entry(text).unwrap().login, None, "{text}");
        }
        let with_login = entry("http://api#user=me&password-file=/run/password").unwrap();
        assert_eq!((with_login.url, with_login.login.is_some()), (upstream("http://api").unwrap(), true));
        assert!(entry("http://api?token-file=/run/token").unwrap_err().contains("write # in front of options"));
        for wrong in ["tcp://api:1", "http://u:p@api", "http://api/v1", "http://api?x", "api", "http://"] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }
}
