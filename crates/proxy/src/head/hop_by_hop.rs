//! Headers that must not go on: those that are for one connection only (RFC 9110, section 7.6.1), and trailers that only a head
//! may have (section 6.5.1).

pub(crate) mod seen;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE},
};

use self::seen::Seen;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that are for one connection, whether `Connection` names them or not. `Trailer` goes on, because trailers do.
const ALWAYS: [(Seen, HeaderName); 7] = [
    (Seen::KEEP_ALIVE, KEEP_ALIVE),
    (Seen::PROXY, PROXY_AUTHENTICATE),
    (Seen::PROXY, PROXY_AUTHORIZATION),
    (Seen::PROXY, PROXY_CONNECTION),
    (Seen::TE, TE),
    (Seen::TRANSFER_ENCODING, TRANSFER_ENCODING),
    (Seen::UPGRADE, UPGRADE),
];

/// Headers that frame or direct a message. A `Connection` that names one of them would take it away from the next server.
const NEVER: [&str; 4] = ["content-length", "host", "via", "forwarded"];

/// Trailers that are dropped, because an app that joins them to the headers would believe them: framing, routing, authentication,
/// and what the proxy itself sets
const NO_TRAILERS: [&str; 29] = [
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
    "x-real-ip",
];

/// Beginnings of their names
const NO_TRAILERS_BEGIN: [&str; 3] = ["if-", "proxy-", "x-forwarded-"];

/// Removes headers for one connection, those that any line of `Connection` names included.
pub(crate) fn strip(headers: &mut HeaderMap, seen: Seen) {
    if seen.has(Seen::CONNECTION) {
        // `Connection: keep-alive` stands in most answers, and names what goes in any case.
        let names_others = |line: &HeaderValue| !line.as_bytes().eq_ignore_ascii_case(b"keep-alive");
        let lines: Vec<_> = headers.get_all(CONNECTION).iter().filter(|line| names_others(line)).cloned().collect();
        for name in lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
            let name = name.trim_ascii();
            if !NEVER.iter().any(|never| never.as_bytes().eq_ignore_ascii_case(name))
                && let Ok(name) = HeaderName::from_bytes(name)
            {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    for (_, name) in ALWAYS.iter().filter(|(one, _)| seen.has(*one)) {
        headers.remove(name);
    }
}

/// Removes trailers that only a head may have, also where an underscore stands for a hyphen.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    let dropped: Vec<HeaderName> = trailers.keys().filter(|name| is_no_trailer(name)).cloned().collect();
    for name in dropped {
        trailers.remove(name);
    }
}

fn is_no_trailer(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    NO_TRAILERS.contains(&name.as_str()) || NO_TRAILERS_BEGIN.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_every_connection_line_goes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-one"),
            ("connection", " X-Two ,Host,,content-length"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "websocket"),
            ("proxy-connection", "close"),
            ("trailer", "x-sum"),
            ("host", "a"),
            ("content-length", "1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let seen = Seen::of(&headers);
        strip(&mut headers, seen);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "trailer", "x-three"]);
    }

    #[test]
    fn checksums_and_statuses_stay() {
        let mut trailers = HeaderMap::new();
        for name in [
            "x-sum",
            "grpc-status",
            "server-timing",
            "digest",
            "etag",
            "host",
            "x-forwarded-for",
            "x_forwarded_for",
            "content-length",
        ] {
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        strip_trailers(&mut trailers);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["digest", "etag", "grpc-status", "server-timing", "x-sum"]);
    }
}
