//! The URL of an upstream, and the login that stands beside it.

pub(crate) mod login;

use std::{str::FromStr, sync::Arc};

use endpoint::{Address, Options};
use http::HeaderValue;
use url::Url;

use self::login::Login;

/// An upstream with the login of a route, as `http://HOST[:PORT]#token-file=PATH`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamEntry {
    pub(crate) url: UpstreamUrl,
    pub(crate) login: Option<Arc<Login>>,
}

/// An upstream, as `http://HOST[:PORT]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    pub(crate) address: Address,
    /// As `Host` has it: without the port of HTTP
    pub(crate) authority: HeaderValue,
}

const WRITE: &str = "write it as http://HOST[:PORT]";

impl UpstreamEntry {
    /// From a URL and options that stand beside it
    pub(crate) fn with_options(url: &str, options: Options) -> Result<Self, String> {
        Ok(Self { url: url.parse()?, login: Login::of(options)?.map(Arc::new) })
    }
}

impl FromStr for UpstreamEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        Self::with_options(url, Options::from_fragment(fragment)?)
    }
}

impl FromStr for UpstreamUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => WRITE.to_owned(),
            url::ParseError::EmptyHost => format!("{error}: {WRITE}, an IPv6 address in brackets"),
            _ => format!("{error}: {WRITE}"),
        })?;
        match url.scheme() {
            "http" => (),
            "https" => return Err("this version speaks no TLS to upstreams: write http://".into()),
            _ => return Err(WRITE.into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL holds no user and no password: write user=NAME and password-file=PATH as options".into());
        }
        endpoint::refuse_login_in_query(&url)?;
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err("an upstream has no path and no query, because the path of each request goes on as it came: write http://HOST[:PORT]".into());
        }
        let address = Address::of(&url, None)?;
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::try_from(authority).map_err(|_| "the host is no host name".to_owned())?;
        Ok(Self { address, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        let upstream = |text: &str| text.parse::<UpstreamUrl>();
        assert_eq!(upstream("http://api").unwrap().authority, "api");
        assert_eq!(upstream("http://[::1]:8080/").unwrap().authority, "[::1]:8080");
        for bare in ["127.0.0.1:8080", "localhost:8080", "api", "unix:/run/app.sock"] {
            assert_eq!(upstream(bare).unwrap_err(), WRITE, "{bare}");
        }
        assert!(upstream("http://::1:8080").unwrap_err().contains("in brackets"));
        assert!(upstream("http://a:99999").unwrap_err().contains(WRITE));
        let entry = |text: &str| text.parse::<UpstreamEntry>();
        assert_eq!(entry("http://api").unwrap().login, None);
        let with_login = entry("http://api#user=me&password-file=/run/password").unwrap();
        assert_eq!((with_login.url, with_login.login.is_some()), (upstream("http://api").unwrap(), true));
        assert!(entry("http://api?token-file=/run/token").unwrap_err().contains("write # in front of options"));
        for wrong in ["https://api", "tcp://api:1", "http://u:p@api", "http://api/v1", "http://api?x", "api", "http://"]
        {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }
}
