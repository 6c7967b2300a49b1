//! A request over HTTP/2 as `explain` plays it: the head that h2 makes of its frames, and the
//! fields for which h2 refuses it.

use http::{
    HeaderMap, HeaderName, Request, Uri, Version,
    header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use hyper::ext::Protocol;

use super::Refused;

/// Fields of one connection, which HTTP/2 does not have (RFC 9113, section 8.2.2)
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How the client asks
#[derive(Debug, clap::Args)]
pub(super) struct Http2 {
    /// Send the request over HTTP/2, the URL's host as its `:authority`
    #[arg(long = "http2")]
    pub(super) is_spoken: bool,
    /// The `:protocol` of CONNECT over HTTP/2, such as `websocket` (RFC 8441)
    #[arg(long, value_name = "NAME", requires = "is_spoken")]
    protocol: Option<String>,
}

impl Http2 {
    /// The head with its target, to which the client's fields are still to come
    pub(super) fn head(&self, url: &Uri) -> Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.version = Version::HTTP_2;
        head.uri = url.clone();
        if let Some(protocol) = &self.protocol {
            head.extensions.insert(Protocol::from(&**protocol));
        }
        head
    }

    /// Refuses the fields for which h2 resets a stream.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Result<(), Refused> {
        if !self.is_spoken {
            return Ok(());
        }
        let is_foreign = headers.get_all(TE).iter().any(|value| value != "trailers");
        let reason = match OF_CONNECTIONS.into_iter().find(|name| headers.contains_key(name)) {
            Some(name) => format!("HTTP/2 has no {name}"),
            None if is_foreign => "te may only be trailers".to_owned(),
            None => return Ok(()),
        };
        Err(Refused::Reset(reason))
    }
}
