//! Where a redirect leads.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{HOST, LOCATION},
};
use url::Url;

/// The request that a redirect asks for (RFC 9110, section 15.4); `None` if the answer is no redirect to HTTP.
pub(super) fn redirected<B>(request: &Request<Full<Bytes>>, answer: &Response<B>) -> Option<Request<Full<Bytes>>> {
    const REWRITE_POST: [StatusCode; 2] = [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND];
    const REWRITE_ALL: StatusCode = StatusCode::SEE_OTHER;
    const KEEP: [StatusCode; 2] = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
    let status = answer.status();
    if status != REWRITE_ALL && !REWRITE_POST.contains(&status) && !KEEP.contains(&status) {
        return None;
    }
    let before = Url::parse(&request.uri().to_string()).ok()?;
    let after = before.join(answer.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    if !["http", "https"].contains(&after.scheme()) {
        return None;
    }
    let mut next = request.clone();
    *next.uri_mut() = after[..url::Position::AfterQuery].parse().ok()?;
    next.headers_mut().remove(HOST);
    if after.origin() != before.origin() {
        // The user's headers and body are meant for the target alone, credentials above all.
        next.headers_mut().clear();
        *next.body_mut() = Full::default();
    }
    let method = request.method();
    if (REWRITE_POST.contains(&status) && method == Method::POST) || (status == REWRITE_ALL && method != Method::HEAD) {
        *next.method_mut() = Method::GET;
        *next.body_mut() = Full::default();
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use hyper::{body::Body, header::AUTHORIZATION};

    use super::*;

    fn redirect(method: Method, status: u16, location: &str) -> Option<Request<Full<Bytes>>> {
        let request = Request::builder().method(method).uri("http://a/old?q=1").header(AUTHORIZATION, "secret");
        let answer = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
        redirected(&request.body(Full::default()).unwrap(), &answer)
    }

    #[test]
    fn a_redirect_within_the_origin_keeps_headers_and_one_elsewhere_does_not() {
        let next = redirect(Method::GET, 302, "/new").unwrap();
        assert_eq!((next.uri().to_string().as_str(), next.headers().len()), ("http://a/new", 1));
        for elsewhere in ["http://b/new", "https://a/new", "http://a:81/"] {
            assert!(redirect(Method::GET, 302, elsewhere).unwrap().headers().is_empty(), "{elsewhere}");
        }
    }

    #[test]
    fn a_body_goes_to_the_target_alone_and_with_its_method() {
        let has_body = |status, location: &str| {
            let request =
                Request::builder().method(Method::POST).uri("http://a/old").body(Full::from("secret")).unwrap();
            let answer = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
            redirected(&request, &answer).unwrap().body().size_hint().exact() == Some(6)
        };
        assert!(has_body(307, "/new") && !has_body(307, "http://b/new") && !has_body(303, "/new"));
    }

    #[test]
    fn methods_change_as_browsers_do_it() {
        let method = |method, status| redirect(method, status, "/new").map(|next| next.method().clone());
        assert_eq!(method(Method::POST, 302), Some(Method::GET));
        assert_eq!(method(Method::POST, 307), Some(Method::POST));
        assert_eq!(method(Method::PUT, 303), Some(Method::GET));
        assert_eq!(method(Method::HEAD, 303), Some(Method::HEAD));
        assert_eq!(method(Method::GET, 200), None);
        assert!(redirect(Method::GET, 302, "ftp://a/").is_none());
    }
}
