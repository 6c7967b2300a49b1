//! Where a redirect leads.

use endpoint::one_line;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Body, Bytes},
    header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION},
};
use url::{Position, Url};

use super::hidden::Sent;
use crate::not_ready::{Cause, NotReady};

/// The headers that tell of a body
const OF_BODY: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE];

/// Where redirects have led
pub(crate) struct Detour {
    /// Scheme, host and port, because a path may be a secret of the server
    origin: String,
    /// The host, where it may not be told
    hidden: Option<String>,
    /// The login was not sent, because the origin is another one.
    pub(crate) lacks_login: bool,
}

impl Detour {
    pub(super) fn to(uri: &Uri, lacks_login: bool, sent: &Sent) -> Self {
        let hidden = uri.host().filter(|host| sent.may_be_in(host)).map(str::to_owned);
        let host = if hidden.is_some() { "…" } else { uri.host().unwrap_or_default() };
        let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
        let origin = one_line(&format!("{}://{host}{port}", uri.scheme_str().unwrap_or_default()));
        Self { origin, hidden, lacks_login }
    }

    /// Words about the place
    pub(crate) fn named(&self, words: &str) -> String {
        format!("redirected to {}: {words}", self.origin)
    }

    /// A refusal with the name of the place
    pub(super) fn placed(&self, refusal: NotReady) -> NotReady {
        // A hint at TLS would be about the target's own URL.
        let NotReady { cause, reason, rest, tls_doubt: _ } = refusal;
        let reason = match &self.hidden {
            Some(host) => without_host(&reason, host),
            None => reason,
        };
        NotReady { rest, ..NotReady::new(cause, self.named(&reason)) }
    }

    /// A failure to get an answer here proves nothing gone, because the target has answered.
    pub(super) fn blame(&self, failure: NotReady) -> NotReady {
        let failure = self.placed(failure);
        match failure.cause {
            Cause::Absent => NotReady { cause: Cause::Odd, ..failure },
            // Asked slowly, as every unknown name
            Cause::UnknownName => NotReady { cause: Cause::Odd, ..failure }.overloaded(None),
            _ => failure,
        }
    }
}

/// A text with `…` in place of a host, but not of a part of a word
fn without_host(text: &str, host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
    let (mut clean, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(host).filter(|_| !host.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + host.len()..]);
        let is_whole = is_apart(before.chars().next_back()) && is_apart(after.chars().next());
        clean.extend([before, if is_whole { "…" } else { host }]);
        rest = after;
    }
    clean + rest
}

/// The request that a redirect asks for (RFC 9110, section 15.4); `None` if the answer is no
/// redirect.
pub(super) fn redirected<B>(
    request: &Request<Full<Bytes>>,
    answer: &Response<B>,
) -> Result<Option<Request<Full<Bytes>>>, NotReady> {
    const REWRITE_POST: [StatusCode; 2] = [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND];
    const REWRITE_ALL: StatusCode = StatusCode::SEE_OTHER;
    const KEEP: [StatusCode; 2] = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
    let status = answer.status();
    if status != REWRITE_ALL && !REWRITE_POST.contains(&status) && !KEEP.contains(&status) {
        return Ok(None);
    }
    // A server answers, so this proves nothing gone.
    let lost = |why: &str| NotReady::new(Cause::Odd, format!("HTTP {status}: {why}"));
    if !answer.headers().contains_key(LOCATION) {
        return Err(lost("a redirect without a Location"));
    }
    let (before, after) = place(request, answer).ok_or_else(|| lost("a redirect that leads to no URL of HTTP"))?;
    let mut next = request.clone();
    *next.uri_mut() =
        after[..Position::AfterQuery].parse().map_err(|_| lost("a redirect that leads to no URL of HTTP"))?;
    let method = request.method();
    if (REWRITE_POST.contains(&status) && method == Method::POST) || (status == REWRITE_ALL && method != Method::HEAD) {
        *next.method_mut() = Method::GET;
        *next.body_mut() = Full::default();
        for header in OF_BODY {
            next.headers_mut().remove(header);
        }
    }
    if after.origin() != before.origin() {
        // The user's headers and body are meant for the target alone, credentials above all, and so
        // are changes.
        if !next.method().is_safe() || next.body().size_hint().exact() != Some(0) {
            return Err(lost(&format!("a {method} is not sent to another origin")));
        }
        next.headers_mut().clear();
    }
    Ok(Some(next))
}

/// Where the request went, and where the redirect leads: without a login, which would stand in the
/// next request's `Host`.
fn place<B>(request: &Request<Full<Bytes>>, answer: &Response<B>) -> Option<(Url, Url)> {
    let before = Url::parse(&request.uri().to_string()).ok()?;
    // Other characters than those of ASCII stand in URLs as the bytes that they are.
    let byte = |byte: &u8| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    let location: String = answer.headers().get(LOCATION)?.as_bytes().iter().map(byte).collect();
    let mut after = before.join(&location).ok()?;
    if !["http", "https"].contains(&after.scheme()) {
        return None;
    }
    after.set_username("").and_then(|()| after.set_password(None)).ok()?;
    Some((before, after))
}

#[cfg(test)]
mod tests {
    use hyper::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn redirect(method: Method, status: u16, location: &str) -> Result<Option<Request<Full<Bytes>>>, String> {
        let request = Request::builder().method(method).uri("http://a/old?q=1").header(AUTHORIZATION, "secret");
        let body = if request.method_ref() == Some(&Method::GET) { "" } else { "secret" };
        let request = request.header(CONTENT_TYPE, "text/plain").body(Full::from(body)).unwrap();
        let answer = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
        redirected(&request, &answer).map_err(|refusal| refusal.reason)
    }

    fn next(method: Method, status: u16, location: &str) -> Request<Full<Bytes>> {
        redirect(method, status, location).unwrap().unwrap()
    }

    #[test]
    fn a_redirect_within_the_origin_keeps_headers_and_one_elsewhere_does_not() {
        let within = next(Method::GET, 302, "/new");
        assert_eq!((within.uri().to_string().as_str(), within.headers().len()), ("http://a/new", 2));
        for elsewhere in ["http://b/new", "https://a/new", "http://a:81/"] {
            assert!(next(Method::GET, 302, elsewhere).headers().is_empty(), "{elsewhere}");
        }
    }

    #[test]
    fn a_place_is_named_without_path_and_query() {
        let sent = Sent::of(&Request::new(Full::default()));
        let detour = Detour::to(next(Method::GET, 302, "https://b:81/secret?x=secret").uri(), false, &sent);
        let failure = detour.blame(NotReady::unanswered());
        assert_eq!(failure, NotReady::new(Cause::Odd, "redirected to https://b:81: closed without an answer"));
        let unknown = detour.blame(NotReady::new(Cause::UnknownName, "unknown name b"));
        assert_eq!(unknown, NotReady::new(Cause::Odd, "redirected to https://b:81: unknown name b").overloaded(None));
    }

    #[test]
    fn a_host_that_repeats_what_was_sent_is_not_told() {
        let request = |uri: &str, body: &'static str| {
            let mut token = HeaderValue::from_static("Bearer HUNTER-2");
            token.set_sensitive(true);
            Request::builder().uri(uri).header(AUTHORIZATION, token).body(Full::from(body)).unwrap()
        };
        let told = |sent: &Request<Full<Bytes>>, location: &str| {
            let detour = Detour::to(next(Method::GET, 302, location).uri(), false, &Sent::of(sent));
            detour.placed(NotReady::new(Cause::UnknownName, format!("unknown name {}", &location[7..]))).reason
        };
        let get = request("http://a/?key=Sesame", "");
        assert_eq!(told(&get, "http://hunter-2"), "redirected to http://…: unknown name …");
        assert_eq!(told(&get, "http://sesame.example"), "redirected to http://…: unknown name …");
        assert_eq!(told(&get, "http://b"), "redirected to http://b: unknown name b");
        let odd = request("http://a/?key=hunter%2B2$x", "");
        assert_eq!(told(&odd, "http://hunter+2$x.invalid"), "redirected to http://…: unknown name …");
        let post = request("http://a/", "secret");
        assert_eq!(without_host("blocked b, [::1]:9", "b"), "blocked …, [::1]:9");
        assert_eq!(without_host("refused by [::1]:9", "[::1]"), "refused by […]:9");
        assert_eq!(told(&post, "http://b"), "redirected to http://…: unknown name …");
        assert_eq!(told(&post, "http://a"), "redirected to http://a: unknown name a");
    }

    #[test]
    fn a_location_may_have_letters_of_any_language() {
        let location = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
        let request = Request::builder().uri("http://a/old").body(Full::default()).unwrap();
        for (bytes, path) in [("/fïnal".as_bytes(), "/f%C3%AFnal"), (b"/f\xefnal", "/f%EFnal")] {
            let answer = Response::builder().status(302).header(LOCATION, location(bytes)).body(()).unwrap();
            assert_eq!(redirected(&request, &answer).unwrap().unwrap().uri(), format!("http://a{path}").as_str());
        }
    }

    #[test]
    fn a_login_in_a_location_is_not_sent() {
        assert_eq!(next(Method::GET, 302, "http://user:hunter2@b/new").uri(), "http://b/new");
    }

    #[test]
    fn a_body_goes_to_the_target_alone_and_with_its_method() {
        let kept = next(Method::POST, 307, "/new");
        assert_eq!((kept.body().size_hint().exact(), kept.headers().len()), (Some(6), 2));
        let seen = next(Method::POST, 303, "/new");
        assert_eq!((seen.body().size_hint().exact(), seen.headers().contains_key(CONTENT_TYPE)), (Some(0), false));
        for (method, status) in [(Method::POST, 307), (Method::DELETE, 308), (Method::PUT, 302), (Method::OPTIONS, 302)]
        {
            let refusal = redirect(method.clone(), status, "http://b/new").unwrap_err();
            assert!(refusal.ends_with(&format!("a {method} is not sent to another origin")), "{refusal}");
        }
        assert_eq!(next(Method::POST, 302, "http://b/new").method(), Method::GET);
    }

    #[test]
    fn methods_change_as_browsers_do_it() {
        for (method, status, changed) in [
            (Method::POST, 302, Method::GET),
            (Method::POST, 307, Method::POST),
            (Method::PUT, 303, Method::GET),
            (Method::HEAD, 303, Method::HEAD),
        ] {
            assert_eq!(next(method, status, "/new").method(), changed);
        }
        assert!(redirect(Method::GET, 200, "/new").unwrap().is_none());
        assert!(redirect(Method::GET, 304, "/new").unwrap().is_none());
    }

    #[test]
    fn a_redirect_that_leads_nowhere_is_refused() {
        for location in ["ftp://a/", "http://", "mailto:a@b"] {
            assert_eq!(
                redirect(Method::GET, 302, location).unwrap_err(),
                "HTTP 302 Found: a redirect that leads to no URL of HTTP"
            );
        }
    }
}
