//! Which upstream a request goes to: by host and path prefix, the most exact route first.

pub(crate) mod probe_path;
pub(crate) mod upstream_address;
pub(crate) mod upstream_url;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::HOST};

use crate::{head::spelling, refusal::Refusal, route::upstream_url::login::Login};

/// One route of a listener
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// As metrics and logs name it
    pub(crate) name: String,
    /// In lower case, without port; `None` is every host
    pub(crate) host: Option<String>,
    /// Begins with `/`; a request's path must be it, or go on with `/`. `/` is every path.
    pub(crate) path: String,
    /// The upstream, as an index of the plan's
    pub(crate) upstream: usize,
    /// Headers that each request gets
    pub(crate) login: Option<Arc<Login>>,
    /// Whether paths with several spellings pass where routes match by path
    pub(crate) allows_ambiguous_paths: bool,
    pub(crate) request_headers: HeaderRules,
    pub(crate) response_headers: HeaderRules,
}

impl Route {
    /// Whether a rule or the login of this route changes the header of requests that has this name
    /// in any spelling
    pub(crate) fn changes(&self, name: &HeaderName) -> bool {
        let HeaderRules { remove, set, add } = &self.request_headers;
        let ruled = remove.iter().chain(set.iter().chain(add).map(|(name, _)| name));
        let logins = self.login.iter().flat_map(|login| login.headers()).map(|(name, _)| name);
        ruled.chain(logins).any(|known| known == name || spelling::is_mimic(known, name.as_str()))
    }
}

/// Headers that are set, added and removed
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderRules {
    pub(crate) remove: Vec<HeaderName>,
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    pub(crate) add: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderRules {
    /// The same as `apply`, without copies of the client's in another spelling of what is removed or set.
    pub(crate) fn apply_to_request(&self, headers: &mut HeaderMap) {
        spelling::remove_mimics(headers, || self.remove.iter().chain(self.set.iter().map(|(name, _)| name)));
        self.apply(headers);
    }

    /// Removes, then sets, then adds.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }
}

/// The routes of a listener, in the order in which they are tried
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    /// Whether a path decides
    match_paths: bool,
}

impl Routes {
    /// Routes with a host come before those without, and longer paths before shorter ones.
    pub(crate) fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| (route.host.is_none(), usize::MAX - route.path.len()));
        let match_paths = routes.iter().any(|route| route.path != "/");
        Self { routes, match_paths }
    }

    pub(crate) fn all(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn all_mut(&mut self) -> &mut [Route] {
        &mut self.routes
    }

    /// The route of a request whose head was judged, as an index of `all`.
    pub(crate) fn find(&self, target: &Uri, headers: &HeaderMap) -> Result<usize, Refusal> {
        if let [Route { host: None, .. }] = self.routes[..]
            && !self.match_paths
        {
            return Ok(0);
        }
        let host = headers.get(HOST).map_or(&b""[..], |host| without_port(host.as_bytes()));
        let path = target.path();
        let matches = |route: &Route| {
            let is_host = route.host.as_ref().is_none_or(|name| name.as_bytes().eq_ignore_ascii_case(host));
            is_host && is_below(path, &route.path)
        };
        let found = self.routes.iter().position(matches).ok_or(Refusal::NoRoute)?;
        if self.match_paths && !self.routes[found].allows_ambiguous_paths && is_ambiguous(path) {
            return Err(Refusal::AmbiguousPath);
        }
        Ok(found)
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match (host.first(), memchr::memrchr(b':', host)) {
        (Some(b'['), _) => host.split_inclusive(|byte| *byte == b']').next().unwrap_or(host),
        (_, Some(colon)) => &host[..colon],
        (_, None) => host,
    }
}

/// Whether the path is the prefix or lies below it. Below `/` lies everything, `*` of OPTIONS too.
fn is_below(path: &str, prefix: &str) -> bool {
    if prefix == "/" {
        return true;
    }
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
}

/// Whether an app may read the path as another one than it is matched by: `//`, `.` and `..` as segments, an escaped slash,
/// backslash, dot or NUL, a backslash, a semicolon behind a dot segment.
fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_escaped = |at: usize| {
        let digits = [bytes.get(at + 1), bytes.get(at + 2)].map(|byte| byte.map_or(0, u8::to_ascii_lowercase));
        [*b"2f", *b"5c", *b"2e", *b"00"].contains(&digits)
    };
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    path.contains("//")
        || path.contains('\\')
        || path.split('/').any(is_dots)
        || memchr::memchr_iter(b'%', bytes).any(is_escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(host: Option<&str>, path: &str) -> Route {
        Route {
            name: format!("{host:?}{path}"),
            host: host.map(str::to_owned),
            path: path.into(),
            upstream: 0,
            login: None,
            allows_ambiguous_paths: false,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
        }
    }

    fn found(routes: &Routes, host: &str, path: &str) -> Result<String, Refusal> {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
        routes.find(&path.parse().unwrap(), &headers).map(|at| routes.all()[at].path.clone())
    }

    #[test]
    fn the_most_exact_route_wins() {
        let routes =
            Routes::new(vec![route(None, "/"), route(None, "/api"), route(Some("a.b"), "/"), route(None, "/api/v2")]);
        assert_eq!(found(&routes, "x", "/api/v2/y"), Ok("/api/v2".into()));
        assert_eq!(found(&routes, "x", "/api/v22"), Ok("/api".into()));
        assert_eq!(found(&routes, "x", "/apis"), Ok("/".into()));
        assert_eq!(found(&routes, "A.B:8080", "/api"), Ok("/".into()));
        assert_eq!(found(&routes, "x", "*"), Ok("/".into()));
        assert_eq!(found(&Routes::new(vec![route(Some("a"), "/")]), "b", "/"), Err(Refusal::NoRoute));
        assert_eq!(found(&Routes::new(vec![route(Some("[::1]"), "/")]), "[::1]:80", "/"), Ok("/".into()));
    }

    #[test]
    fn paths_with_several_spellings_pass_only_where_no_path_decides() {
        let one = Routes::new(vec![route(None, "/")]);
        let many = Routes::new(vec![route(None, "/"), route(None, "/api")]);
        for path in ["/a//b", "/a%2Fb", "/a/../b", "/a/./b", "/a%5cb", "/a\\b", "/%2e%2E/b", "/a/..;x/b", "/a%00"] {
            assert_eq!(found(&one, "x", path), Ok("/".into()), "{path}");
            assert_eq!(found(&many, "x", path), Err(Refusal::AmbiguousPath), "{path}");
        }
        for path in ["/a..b/c", "/a%20b", "/.well-known/x", "/a;b/c"] {
            assert_eq!(found(&many, "x", path), Ok("/".into()), "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_path_finds_a_route_or_is_refused(path in "/[a-z%2eEfF/.;\\\\]{0,12}") {
            let many = Routes::new(vec![route(None, "/"), route(None, "/a")]);
            let Ok(target) = path.parse::<Uri>() else { return Ok(()) };
            let _ = many.find(&target, &HeaderMap::new());
        }
    }
}
