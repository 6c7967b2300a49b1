//! A head for HTTP/2 made of one that was made for HTTP/1.1: RFC 9113, section 8.3.1.

use http::{
    HeaderValue, Request, Uri, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING},
    request::Parts,
    uri::{Authority, PathAndQuery, Scheme},
};

/// The head that goes to an upstream over HTTP/2: with `:authority` instead of `Host`, and without what HTTP/1.1 needs to frame.
/// A host that is no authority, for example an empty one, is replaced by the upstream's.
pub(crate) fn head(head: &Parts, is_tls: bool, upstream: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.clone_from(&head.headers);
    // `te: trailers` stays; `Connection` names nothing else here.
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let named = headers.remove(HOST);
    let authority = named.as_ref().and_then(authority_of).or_else(|| authority_of(upstream));
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = authority;
    parts.path_and_query = Some(head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    *request.method_mut() = head.method.clone();
    // All three parts are there.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
    *request.extensions_mut() = head.extensions.clone();
    request
}

fn authority_of(host: &HeaderValue) -> Option<Authority> {
    Authority::try_from(host.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn made(method: Method, target: &'static str, host: &'static str) -> Request<()> {
        let request = Request::builder().method(method).uri(target).header(HOST, host).header(CONNECTION, "te");
        let request = request.header("te", "trailers").header(TRANSFER_ENCODING, "chunked").header("x", "1");
        head(&request.body(()).unwrap().into_parts().0, true, &HeaderValue::from_static("api:8443"))
    }

    #[test]
    fn the_host_becomes_the_authority() {
        let request = made(Method::GET, "/a//b?c", "app:80");
        assert_eq!(request.uri(), "https://app:80/a//b?c");
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!((names, request.version()), (vec!["te", "x"], Version::HTTP_2));
        assert_eq!(made(Method::GET, "/", "").uri().authority().unwrap(), "api:8443");
    }

    #[test]
    fn a_server_as_a_whole_stays_one() {
        let request = made(Method::OPTIONS, "*", "app");
        assert_eq!((request.uri().path(), request.uri().authority().unwrap().as_str()), ("*", "app"));
    }
}
