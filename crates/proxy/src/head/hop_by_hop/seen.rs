//! Which of the headers that the proxy acts on stand in a head: one pass over the names of a head costs as much as four lookups, and
//! makes thirty of them needless.

use http::HeaderMap;

/// A set of headers
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u32);

impl Seen {
    pub(crate) const CONNECTION: Self = Self(1);
    pub(crate) const CONTENT_LENGTH: Self = Self(1 << 1);
    pub(crate) const CONTENT_TYPE: Self = Self(1 << 2);
    pub(crate) const EXPECT: Self = Self(1 << 3);
    pub(crate) const HOST: Self = Self(1 << 4);
    pub(crate) const KEEP_ALIVE: Self = Self(1 << 5);
    /// Of a proxy itself: `Proxy-Connection` and the login headers
    pub(crate) const PROXY: Self = Self(1 << 6);
    pub(crate) const TE: Self = Self(1 << 7);
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 8);
    pub(crate) const UPGRADE: Self = Self(1 << 9);
    /// `traceparent` and `tracestate`
    pub(crate) const TRACE: Self = Self(1 << 10);
    /// Headers that apps read as a proxy's word about the client: `X-Forwarded-*`, `X-Real-IP` and
    /// `Forwarded`
    pub(crate) const CLAIM: Self = Self(1 << 11);
    /// A name with an underscore, which may be read as one of the others
    pub(crate) const UNDERSCORE: Self = Self(1 << 12);
    pub(crate) const VIA: Self = Self(1 << 13);
    pub(crate) const COOKIE: Self = Self(1 << 14);

    /// The headers of a head. A header that was removed since counts still.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |seen, name| seen | Self::named(name.as_str()).0))
    }

    /// Whether the header is there, or one of several
    pub(crate) const fn has(self, headers: Self) -> bool {
        self.0 & headers.0 != 0
    }

    /// Both sets
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn named(name: &str) -> Self {
        match name {
            "connection" => Self::CONNECTION,
            "content-length" => Self::CONTENT_LENGTH,
            "content-type" => Self::CONTENT_TYPE,
            "cookie" => Self::COOKIE,
            "expect" => Self::EXPECT,
            "host" => Self::HOST,
            "keep-alive" => Self::KEEP_ALIVE,
            "proxy-authenticate" | "proxy-authorization" | "proxy-connection" => Self::PROXY,
            "te" => Self::TE,
            "transfer-encoding" => Self::TRANSFER_ENCODING,
            "upgrade" => Self::UPGRADE,
            "via" => Self::VIA,
            "traceparent" | "tracestate" => Self::TRACE,
            // Names are too short for the vectors of memchr.
            _ if name.bytes().any(|byte| byte == b'_') => Self::UNDERSCORE,
            _ if name.starts_with("x-forwarded-") || name == "x-real-ip" || name == "forwarded" => Self::CLAIM,
            _ => Self(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_head_has_what_stands_in_it() {
        let with =
            |name| Seen::of(&HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("1"))]));
        assert_eq!(with("date"), Seen(0));
        assert_eq!(with("keep-alive"), Seen::KEEP_ALIVE);
        assert_eq!(with("proxy-authorization"), Seen::PROXY);
        assert_eq!(with("tracestate"), Seen::TRACE);
        assert_eq!(with("x-forwarded-port"), Seen::CLAIM);
        assert_eq!(with("x_forwarded_for"), Seen::UNDERSCORE);
        assert!(with("te").has(Seen::TE.or(Seen::UPGRADE)) && !with("te").has(Seen::UPGRADE));
    }
}
