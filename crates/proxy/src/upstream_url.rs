//! The URL of an upstream.

use std::str::FromStr;

use endpoint::Address;
use http::HeaderValue;
use url::Url;

/// An upstream, as `http://HOST[:PORT]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    pub(crate) address: Address,
    /// As `Host` has it: without the port of HTTP
    pub(crate) authority: HeaderValue,
}

impl FromStr for UpstreamUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        match url.scheme() {
            "http" => (),
            "https" => return Err("TLS to an upstream comes later: give http://".into()),
            _ => return Err("write it as http://HOST[:PORT]".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a login does not belong into the URL".into());
        }
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err("a path, a query or a fragment has no meaning here: write http://HOST[:PORT]".into());
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
        for wrong in ["https://api", "tcp://api:1", "http://u:p@api", "http://api/v1", "http://api?x", "api", "http://"]
        {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }
}
