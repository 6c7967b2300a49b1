//! gRPC over HTTP/2: which requests are calls, and the proxy's own words in a call.
//!
//! The protocol is gRPC's "gRPC over HTTP2" (doc/PROTOCOL-HTTP2.md); retries and pushback are its proposal A6.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod messages;
pub(crate) mod retry;
pub(crate) mod status;
pub(crate) mod timeout;

use http::{HeaderMap, Method, Request, Version, header::CONTENT_TYPE};

/// Whether a request is a call: POST over HTTP/2 with a content type of gRPC. Over HTTP/1.1 it is a request like any other, because
/// gRPC's clients do not read the answers of a proxy there.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2 && request.method() == Method::POST && has_content_type(request.headers())
}

/// Whether the content type is `application/grpc`, alone or with a suffix such as `+proto` or a parameter. `application/grpc-web` is another
/// protocol, whose status stands in the body.
fn has_content_type(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some(kind) = headers.get(CONTENT_TYPE) else { return false };
    let (Some(begin), rest) = (kind.as_bytes().get(..GRPC.len()), kind.as_bytes().get(GRPC.len()..)) else {
        return false;
    };
    begin.eq_ignore_ascii_case(GRPC) && matches!(rest, Some([] | [b'+' | b';' | b' ', ..]))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_post_over_http_2_with_its_content_type_is_a_call() {
        let is_call = |method: Method, version, kind: &'static str| {
            let request = Request::builder().method(method).version(version).header(CONTENT_TYPE, kind);
            super::is_call(&request.body(()).unwrap())
        };
        for kind in ["application/grpc", "application/grpc+proto", "Application/gRPC+json", "application/grpc;x=y"] {
            assert!(is_call(Method::POST, Version::HTTP_2, kind), "{kind}");
            assert!(!is_call(Method::POST, Version::HTTP_11, kind) && !is_call(Method::GET, Version::HTTP_2, kind));
        }
        for kind in ["", "application/grpc-web", "application/grpc-web+proto", "application/grpcx", "application/json"]
        {
            assert!(!is_call(Method::POST, Version::HTTP_2, kind), "{kind}");
        }
        assert!(!has_content_type(&HeaderMap::new()));
        let other = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_bytes(b"application/grp\xff").unwrap())]);
        assert!(!has_content_type(&other));
    }
}
