//! The names of a server and of what is asked of it, as a request has them (RFC 9112, section 3.2).

use endpoint::Address;
use http_body_util::Full;
use hyper::{
    Request, Uri,
    body::Bytes,
    header::{HOST, HeaderValue},
};

use crate::not_ready::NotReady;

/// The server of a URL
pub(super) fn address(uri: &Uri) -> Result<Address, NotReady> {
    let host = uri.host().ok_or_else(|| NotReady::never("the URL has no host"))?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    Ok(Address { host: host.trim_matches(['[', ']']).to_owned(), port })
}

/// Names the server in the header Host, unless the user has named it.
pub(super) fn name_host(request: &mut Request<Full<Bytes>>) -> Result<(), NotReady> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let authority = authority.and_then(Result::ok).ok_or_else(|| NotReady::never("the host is not a header value"))?;
    request.headers_mut().entry(HOST).or_insert(authority);
    Ok(())
}

/// Path and query, as a server wants them that is no proxy (RFC 9112, section 3.2.1).
pub(super) fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}
