//! The rules for a request's head before it is forwarded: RFC 9110, 9112 and 9113, where they leave
//! a choice, strictly.
//!
//! hyper has read the head by then. What hyper accepts and hides (LF without CR, `Content-Length` beside
//! `Transfer-Encoding`) is looked for in the bytes: see `raw_head`. Over HTTP/2, h2 has refused fields that belong to a connection,
//! names in capitals, and pseudo-header fields that are missing, unknown, repeated or behind others.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, Version,
    header::{COOKIE, HOST, TRANSFER_ENCODING, VIA},
    request::Parts,
};

use crate::{
    head::{hop_by_hop::seen::Seen, spelling::is_mimic},
    refusal::Refusal,
};

/// Headers that the proxy sets or trusts, of which no copy in another spelling may reach an app
const OURS: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "forwarded",
    "host",
    "proxy-status",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "authorization",
];

/// Bytes of a host's name (RFC 3986, section 3.2.2). A connection keeps the last name for as long as it lives.
const NAME_LIMIT: usize = 255;
/// The name of each proxy in `Via`. Proxies share it, so one in `Via` is no loop yet.
const PSEUDONYM: &str = "sidekit-proxy";
/// Proxies of this name that a request may have passed through, which is more than a chain of services has that forward `Via`
const MAX_PASSED: usize = 16;

/// Judges a head by itself, without the routes.
pub(crate) fn judge(head: &Parts, seen: Seen) -> Result<(), Refusal> {
    match head.method {
        Method::CONNECT => return Err(Refusal::Connect),
        Method::TRACE => return Err(Refusal::Trace),
        _ => (),
    }
    judge_target(head)?;
    judge_host(head)?;
    if seen.has(Seen::TRANSFER_ENCODING) {
        judge_transfer_encoding(&head.headers)?;
    }
    let is_ours = |name: &HeaderName| OURS.iter().any(|ours| is_mimic(name, ours));
    let has_mimicry = seen.has(Seen::UNDERSCORE) && head.headers.keys().any(is_ours);
    if seen.has(Seen::VIA) && has_looped(&head.headers) {
        return Err(Refusal::Loop);
    }
    if has_mimicry { Err(Refusal::MimickedHeader) } else { Ok(()) }
}

/// Judges what a head of HTTP/1 shows in its bytes: the number of its fields, its size, and what stands around a value. Crumbs of a
/// cookie count as one field (RFC 9113, section 8.2.3).
pub(crate) fn judge_http2(head: &Parts, most_fields: u32, most_bytes: u64) -> Result<(), Refusal> {
    let (mut fields, mut crumbs) = (0, 0);
    let mut bytes = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    for (name, value) in &head.headers {
        if value.as_bytes() != value.as_bytes().trim_ascii() {
            return Err(Refusal::BadHead);
        }
        fields += 1;
        crumbs += u32::from(name == COOKIE);
        bytes += name.as_str().len() + value.len() + ": \r\n".len();
    }
    let is_short = fields - crumbs.saturating_sub(1) <= most_fields && bytes as u64 <= most_bytes;
    if is_short { Ok(()) } else { Err(Refusal::HeadTooLarge) }
}

/// Names the host where only an absolute target does, as HTTP/1.0 allows it, and HTTP/2 asks for it (RFC 9113, section 8.3.1). Returns
/// the headers that the head has by then.
pub(crate) fn complete(head: &mut Parts, seen: Seen) -> Seen {
    if [Version::HTTP_10, Version::HTTP_2].contains(&head.version)
        && !seen.has(Seen::HOST)
        && let Some(Ok(host)) = head.uri.authority().map(|authority| HeaderValue::try_from(authority.as_str()))
    {
        head.headers.insert(HOST, host);
        return seen.or(Seen::HOST);
    }
    seen
}

/// Whether more proxies of this name have forwarded the request than any chain has, as `Via` says (RFC 9110, section 7.6.3).
fn has_looped(headers: &HeaderMap) -> bool {
    let hops = headers.get_all(VIA).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let ours = hops.filter(|hop| hop.split(u8::is_ascii_whitespace).any(|word| word == PSEUDONYM.as_bytes()));
    ours.count() >= MAX_PASSED
}

/// A path, an absolute `http` URL, or `*` for OPTIONS (RFC 9112, section 3.2).
fn judge_target(head: &Parts) -> Result<(), Refusal> {
    let target = &head.uri;
    let path = target.path_and_query().map_or("", |path| path.as_str());
    let is_path = path.starts_with('/') || path == "*" && head.method == Method::OPTIONS;
    let is_possible = match target.scheme_str() {
        None => is_path,
        // hyper's URL has a path even where the target has none; HTTP/2 sends the path by itself (RFC 9113, section 8.3.1).
        Some("http" | "https") => is_path || head.version != Version::HTTP_2,
        _ => false,
    };
    if is_possible && path.is_ascii() && !is_fragment(head) { Ok(()) } else { Err(Refusal::BadTarget) }
}

/// Whether `:path` was a fragment alone, for example `#a`: h2 cuts fragments off, so that nothing is left for a request line.
fn is_fragment(head: &Parts) -> bool {
    head.version == Version::HTTP_2
        && head.uri.path() == "/"
        && head.uri.path_and_query().is_some_and(|path| Uri::from(path.clone()).path().is_empty())
}

fn judge_host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        // HTTP/1.0 knows no Host.
        return if head.version == Version::HTTP_10 { Ok(()) } else { Err(Refusal::NoHost) };
    };
    if hosts.next().is_some() {
        return Err(Refusal::SeveralHosts);
    }
    let host = host.as_bytes();
    if !is_host(host) {
        return Err(Refusal::BadHost);
    }
    match head.uri.authority() {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host) => Err(Refusal::HostDiffers),
        _ => Ok(()),
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2): a name, an IPv4 address or a bracketed IPv6 address.
pub(crate) fn is_host(text: &[u8]) -> bool {
    let (is_host, port) = if let [b'[', rest @ ..] = text {
        let Some(end) = memchr::memchr(b']', rest) else { return false };
        let is_address = str::from_utf8(&rest[..end]).is_ok_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        (is_address, &rest[end + 1..])
    } else {
        let (name, port) = text.split_at(memchr::memchr(b':', text).unwrap_or(text.len()));
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        (!name.is_empty() && name.len() <= NAME_LIMIT && name.iter().all(is_name), port)
    };
    let is_port = match port {
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => port.is_empty(),
    };
    is_host && is_port
}

fn judge_transfer_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::BadTransferEncoding),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// The verdict on a head with these lines
    fn verdict(method: &str, target: &str, version: Version, lines: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        judge(&head, Seen::of(&head.headers))
    }

    fn with(lines: &[(&str, &str)]) -> Result<(), Refusal> {
        verdict("GET", "/", Version::HTTP_11, lines)
    }

    #[test]
    fn a_loop_is_more_of_our_names_than_a_chain_has() {
        let passed = |count, hop: &'static str| with(&[&[("host", "a")], &vec![("via", hop); count][..]].concat());
        assert_eq!(passed(15, "1.1 sidekit-proxy"), Ok(()));
        assert_eq!(passed(16, "1.1 sidekit-proxy"), Err(Refusal::Loop));
        assert_eq!(passed(8, "1.1 sidekit-proxy (a), HTTP/1.0 sidekit-proxy"), Err(Refusal::Loop));
        assert_eq!(passed(90, "1.1 sidekit-proxy-of-others"), Ok(()));
    }

    #[test]
    fn hosts() {
        assert_eq!(with(&[]), Err(Refusal::NoHost));
        assert_eq!(verdict("GET", "/", Version::HTTP_10, &[]), Ok(()));
        assert_eq!(with(&[("host", "a"), ("host", "a")]), Err(Refusal::SeveralHosts));
        for host in ["a", "a.b:80", "127.0.0.1", "[::1]", "[::1]:8080", "a_b", "xn--bcher-kva.example", "a:"] {
            assert_eq!(with(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[::1]x", "[1.2]", "a,b", "a?b", "a#b", "a[b",
            "[", "[::1]:x",
        ] {
            assert_eq!(with(&[("host", host)]), Err(Refusal::BadHost), "{host}");
        }
        let (longest, longer) = ("a".repeat(255), "a".repeat(256));
        assert_eq!((with(&[("host", &longest)]), with(&[("host", &longer)])), (Ok(()), Err(Refusal::BadHost)));
        let absolute = |host| verdict("GET", "http://a:80/x", Version::HTTP_11, &[("host", host)]);
        assert_eq!((absolute("A:80"), absolute("a")), (Ok(()), Err(Refusal::HostDiffers)));
    }

    #[test]
    fn targets_and_methods() {
        let target = |method: &str, target: &str| verdict(method, target, Version::HTTP_11, &[("host", "a")]);
        assert_eq!(target("OPTIONS", "*"), Ok(()));
        assert_eq!(target("GET", "*"), Err(Refusal::BadTarget));
        assert_eq!(target("GET", "/%2F//..?a=\\"), Ok(()));
        assert_eq!(target("GET", "/caf\u{e9}"), Err(Refusal::BadTarget));
        assert_eq!(target("GET", "ftp://a/"), Err(Refusal::BadTarget));
        assert_eq!(target("GET", "a"), Err(Refusal::BadTarget));
        assert_eq!(target("GET", "a:80"), Err(Refusal::BadTarget));
        assert_eq!(target("GET", "HTTP://a?x=1"), Ok(()));
        assert_eq!(target("CONNECT", "a:80"), Err(Refusal::Connect));
        assert_eq!(target("TRACE", "/"), Err(Refusal::Trace));
    }

    #[test]
    fn paths_of_http2() {
        let target = |method: &str, target: &str| verdict(method, target, Version::HTTP_2, &[("host", "a")]);
        assert_eq!((target("GET", "http://a/x?y"), target("GET", "/x")), (Ok(()), Ok(())));
        assert_eq!((target("OPTIONS", "*"), target("GET", "*")), (Ok(()), Err(Refusal::BadTarget)));
        assert_eq!(target("GET", "ftp://a/"), Err(Refusal::BadTarget));
        assert_eq!(verdict("GET", "http://b/", Version::HTTP_2, &[("host", "a")]), Err(Refusal::HostDiffers));
    }

    #[test]
    fn fields_of_http2() {
        let judged = |lines: &[(&str, &str)]| {
            let mut request = Request::builder().uri("/path");
            for (name, value) in lines {
                request = request.header(*name, *value);
            }
            judge_http2(&request.body(()).unwrap().into_parts().0, 3, 50)
        };
        assert_eq!(judged(&[("a", "1"), ("b", "2"), ("c", "3")]), Ok(()));
        assert_eq!(judged(&[("a", "1"), ("b", "2"), ("c", "3"), ("c", "4")]), Err(Refusal::HeadTooLarge));
        assert_eq!(judged(&[("a", "1"), ("b", "2"), ("cookie", "c"), ("cookie", "d")]), Ok(()));
        let longest = "1".repeat(50 - 5 - 1 - 4);
        assert_eq!((judged(&[("a", &longest)]), judged(&[("ab", &longest)])), (Ok(()), Err(Refusal::HeadTooLarge)));
        assert_eq!((judged(&[("a", " 1")]), judged(&[("a", "1\t")])), (Err(Refusal::BadHead), Err(Refusal::BadHead)));
        assert_eq!(judged(&[("a", "")]), Ok(()));
    }

    #[test]
    fn transfer_encodings() {
        let coded = |codings: &[&str]| {
            let lines: Vec<_> = codings.iter().map(|coding| ("transfer-encoding", *coding)).collect();
            with(&[&[("host", "a")], &lines[..]].concat())
        };
        assert_eq!(coded(&["chunked"]), Ok(()));
        assert_eq!(coded(&["Chunked"]), Ok(()));
        for codings in
            [&["gzip, chunked"][..], &[",chunked"], &["chunked, chunked"], &["chunked", "chunked"], &["identity"]]
        {
            assert_eq!(coded(codings), Err(Refusal::BadTransferEncoding), "{codings:?}");
        }
    }

    #[test]
    fn names_that_mimic_ours() {
        for (name, refused) in
            [("x_forwarded_for", true), ("x-forwarded_for", true), ("content_length", true), ("x_y", false)]
        {
            assert_eq!(with(&[("host", "a"), (name, "1")]).is_err(), refused, "{name}");
        }
    }
}
