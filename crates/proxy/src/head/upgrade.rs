//! The protocols that a request asks to change to, and whether an answer changes to one of them (RFC 9110, section 7.8; RFC 6455,
//! section 4; RFC 8441).
//!
//! Long because its tests hold a row for each way to ask and to answer.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TE, TRANSFER_ENCODING, UPGRADE},
    request, response,
};
use hyper::ext::Protocol;

use crate::{
    head::hop_by_hop::seen::Seen,
    refusal::Refusal,
    websocket::key::{self, NONCE},
};

const WEBSOCKET: &str = "websocket";
/// HTTP/2 without TLS. The proxy does not pass it on, because it judges every request, and RFC 9113 has abandoned this upgrade.
const H2C: &str = "h2c";

/// A request to change the protocol
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// Names of protocols, in the order of the client's wish
    protocols: Vec<String>,
    /// The value of `Sec-WebSocket-Key`, if one of the protocols is a WebSocket
    key: Option<HeaderValue>,
    /// Whether the client asks by HTTP/2 (RFC 8441), where 200 is the answer
    is_connect: bool,
}

/// A protocol that the upstream has changed to
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    protocol: HeaderValue,
    pub(crate) is_websocket: bool,
}

impl Upgrade {
    /// The wish of an HTTP/1.1 request; nothing if it is to be served as it is. HTTP/1.0 knows no upgrades, and a server may ignore any.
    pub(crate) fn of(head: &request::Parts, seen: Seen, has_body: bool) -> Result<Option<Self>, Refusal> {
        if !seen.has(Seen::UPGRADE) || !seen.has(Seen::CONNECTION) || head.version != Version::HTTP_11 {
            return Ok(None);
        }
        if !has_token(&head.headers, &CONNECTION, "upgrade") {
            return Ok(None);
        }
        let mut protocols = Vec::new();
        for protocol in elements(&head.headers, &UPGRADE) {
            let name = str::from_utf8(protocol).ok().filter(|name| is_protocol(name)).ok_or(Refusal::BadUpgrade)?;
            protocols.push(name.to_owned());
        }
        protocols.retain(|name| !name.eq_ignore_ascii_case(H2C));
        if protocols.is_empty() {
            return Ok(None);
        }
        if has_body {
            return Err(Refusal::UpgradeWithBody);
        }
        let is_websocket = protocols.iter().any(|name| name.eq_ignore_ascii_case(WEBSOCKET));
        let key = if is_websocket { Some(websocket_key(head)?) } else { None };
        Ok(Some(Self { protocols, key, is_connect: false }))
    }

    /// The wish of a CONNECT request with `:protocol` (RFC 8441). Its head becomes one that a server of HTTP/1.1 understands, with a key of
    /// its own, which these random bytes make. Nothing if it is no such request.
    pub(crate) fn of_connect(
        head: &mut request::Parts,
        nonce: impl FnOnce() -> [u8; NONCE],
    ) -> Result<Option<Self>, Refusal> {
        let Some(protocol) = head.extensions.get::<Protocol>().filter(|_| head.method == Method::CONNECT) else {
            return Ok(None);
        };
        if !protocol.as_str().eq_ignore_ascii_case(WEBSOCKET) {
            return Err(Refusal::UnknownProtocol);
        }
        let key = HeaderValue::try_from(key::of(nonce())).map_err(|_| Refusal::BadUpgrade)?;
        head.method = Method::GET;
        head.headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        Ok(Some(Self { protocols: vec![WEBSOCKET.to_owned()], key: Some(key), is_connect: true }))
    }

    /// Asks the upstream for the protocols, in a head that has lost all headers for one connection.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        headers.remove(TE);
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(protocols) = HeaderValue::try_from(self.protocols.join(", ")) {
            headers.insert(UPGRADE, protocols);
        }
    }

    /// The protocol of an answer with status 101, which must be exactly one that was asked for.
    pub(crate) fn judge(&self, head: &response::Parts) -> Result<Changed, Refusal> {
        let mut protocols = elements(&head.headers, &UPGRADE);
        let (Some(protocol), None) = (protocols.next(), protocols.next()) else { return Err(Refusal::UpstreamBroken) };
        let is_asked_for = self.protocols.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(protocol));
        let is_told = has_token(&head.headers, &CONNECTION, "upgrade");
        let is_websocket = protocol.eq_ignore_ascii_case(WEBSOCKET.as_bytes());
        let is_accepted = !is_websocket || self.key.as_ref().is_some_and(|key| accepts(&head.headers, key));
        match HeaderValue::from_bytes(protocol) {
            Ok(protocol) if is_asked_for && is_told && is_accepted && head.version == Version::HTTP_11 => {
                Ok(Changed { protocol, is_websocket })
            }
            _ => Err(Refusal::UpstreamBroken),
        }
    }

    /// Whether the client asks by HTTP/2
    pub(crate) fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Tells the client that the protocol has changed, in a head that has lost all headers for one connection.
    pub(crate) fn tell(&self, changed: Changed, head: &mut response::Parts) {
        let headers = &mut head.headers;
        // A head without a body has neither (RFC 9110, sections 8.6 and 6.4.1).
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        if self.is_connect {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            head.status = StatusCode::OK;
        } else {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, changed.protocol);
        }
    }
}

/// The key of a WebSocket's handshake, which must be a GET request (RFC 6455, section 4.2.1).
fn websocket_key(head: &request::Parts) -> Result<HeaderValue, Refusal> {
    let mut keys = head.headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if head.method == Method::GET && key::is_key(key.as_bytes()) => Ok(key.clone()),
        _ => Err(Refusal::BadUpgrade),
    }
}

/// Whether an answer proves that its server has read this key.
fn accepts(headers: &HeaderMap, key: &HeaderValue) -> bool {
    let mut answers = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
    let answer = answers.next().filter(|_| answers.next().is_none());
    answer.is_some_and(|answer| answer.as_bytes() == key::accept(key.as_bytes()).as_bytes())
}

/// The elements of a list that may stand in several lines; empty ones count for nothing (RFC 9110, section 5.6.1).
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let elements = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// `protocol-name ["/" protocol-version]`, both tokens (RFC 9110, section 7.8)
fn is_protocol(text: &str) -> bool {
    let is_token = |text: &str| {
        let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_of_token)
    };
    let (name, version) = text.split_once('/').map_or((text, None), |(name, version)| (name, Some(version)));
    is_token(name) && version.is_none_or(is_token)
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};

    use super::*;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const ACCEPT: (&str, &str) = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const TOLD: (&str, &str) = ("connection", "Upgrade");
    const WANTS_WEBSOCKET: (&str, &str) = ("upgrade", "WebSocket");

    fn asked(
        method: &str,
        version: Version,
        lines: &[(&str, &str)],
        has_body: bool,
    ) -> Result<Option<Upgrade>, Refusal> {
        let mut request = Request::builder().method(method).version(version);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        Upgrade::of(&head, Seen::of(&head.headers), has_body)
    }

    fn protocols(lines: &[(&str, &str)]) -> Result<Option<Vec<String>>, Refusal> {
        let lines = [&[TOLD], lines].concat();
        asked("GET", Version::HTTP_11, &lines, false).map(|upgrade| upgrade.map(|upgrade| upgrade.protocols))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_wish_needs_both_headers_and_http_1_1() {
        for (version, lines) in [
            (Version::HTTP_11, &[("upgrade", "tcp")][..]),
            (Version::HTTP_11, &[TOLD]),
            (Version::HTTP_11, &[("connection", "keep-alive"), ("upgrade", "tcp")]),
            (Version::HTTP_11, &[TOLD, ("upgrade", " , ")]),
            (Version::HTTP_10, &[TOLD, ("upgrade", "tcp")]),
        ] {
            assert!(asked("GET", version, lines, false).unwrap().is_none(), "{version:?} {lines:?}");
        }
        let listed = [("connection", "keep-alive, UPGRADE"), ("upgrade", "tcp")];
        assert!(asked("POST", Version::HTTP_11, &listed, false).unwrap().is_some());
        assert_eq!(asked("POST", Version::HTTP_11, &listed, true).unwrap_err(), Refusal::UpgradeWithBody);
    }

    #[test]
    fn several_protocols_go_on_in_order_and_h2c_does_not() {
        assert_eq!(
            protocols(&[("upgrade", "SPDY/3.1, tcp"), ("upgrade", "x")]),
            Ok(Some(names(&["SPDY/3.1", "tcp", "x"])))
        );
        assert_eq!(protocols(&[("upgrade", "h2c, tcp")]), Ok(Some(names(&["tcp"]))));
        assert_eq!(protocols(&[("upgrade", "H2C")]), Ok(None));
        let with_body = [TOLD, ("upgrade", "h2c")];
        assert!(asked("POST", Version::HTTP_11, &with_body, true).unwrap().is_none());
        for text in ["a b", "a/", "/1", "a/1/2", "a;b", "\"a\"", "caf\u{e9}"] {
            assert_eq!(protocols(&[("upgrade", text)]), Err(Refusal::BadUpgrade), "{text}");
        }
    }

    #[test]
    fn a_websocket_needs_get_and_one_key() {
        assert_eq!(protocols(&[WANTS_WEBSOCKET, KEY]), Ok(Some(names(&["WebSocket"]))));
        for lines in
            [&[WANTS_WEBSOCKET][..], &[WANTS_WEBSOCKET, KEY, KEY], &[WANTS_WEBSOCKET, ("sec-websocket-key", "x")]]
        {
            assert_eq!(protocols(lines), Err(Refusal::BadUpgrade), "{lines:?}");
        }
        let posted = asked("POST", Version::HTTP_11, &[TOLD, WANTS_WEBSOCKET, KEY], false);
        assert_eq!(posted.unwrap_err(), Refusal::BadUpgrade);
    }

    fn changed(wish: &Upgrade, lines: &[(&str, &str)]) -> Result<bool, Refusal> {
        let mut response = Response::builder().status(101);
        for (name, value) in lines {
            response = response.header(*name, *value);
        }
        let head = response.body(()).unwrap().into_parts().0;
        wish.judge(&head).map(|changed| changed.is_websocket)
    }

    #[test]
    fn an_answer_changes_to_one_protocol_that_was_asked_for() {
        let wish = [TOLD, ("upgrade", "tcp, websocket"), KEY];
        let wish = asked("GET", Version::HTTP_11, &wish, false).unwrap().unwrap();
        let websocket = ("upgrade", "websocket");
        assert_eq!(changed(&wish, &[TOLD, websocket, ACCEPT]), Ok(true));
        assert_eq!(changed(&wish, &[TOLD, ("upgrade", "TCP")]), Ok(false));
        for lines in [
            &[TOLD, ("upgrade", "udp")][..],
            &[TOLD, ("upgrade", "tcp, websocket"), ACCEPT],
            &[TOLD, ("upgrade", "tcp"), ("upgrade", "tcp")],
            &[TOLD, websocket],
            &[TOLD, websocket, ACCEPT, ACCEPT],
            &[TOLD, websocket, ("sec-websocket-accept", KEY.1)],
            &[TOLD],
            &[("upgrade", "tcp")],
            &[],
        ] {
            assert_eq!(changed(&wish, lines), Err(Refusal::UpstreamBroken), "{lines:?}");
        }
    }

    fn connect(protocol: &'static str) -> request::Parts {
        let request = Request::builder().method("CONNECT").uri("https://a/chat").version(Version::HTTP_2);
        let request = request.header("sec-websocket-version", "13").header(KEY.0, "the client's");
        let mut head = request.body(()).unwrap().into_parts().0;
        head.extensions.insert(Protocol::from_static(protocol));
        head
    }

    #[test]
    fn a_websocket_over_http_2_becomes_one_of_http_1_1_with_a_key_of_its_own() {
        let mut head = connect(WEBSOCKET);
        let wish = Upgrade::of_connect(&mut head, || *b"the sample nonce").unwrap().unwrap();
        wish.ask(&mut head.headers);
        let value = |name| head.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((&head.method, value(KEY.0), value("upgrade")), (&Method::GET, Some(KEY.1), Some(WEBSOCKET)));
        assert_eq!((value("connection"), value("sec-websocket-version")), (Some("upgrade"), Some("13")));
        let answer = Response::builder().status(101).header(TOLD.0, TOLD.1).header("upgrade", WEBSOCKET);
        let answer = answer.header(ACCEPT.0, ACCEPT.1).header("sec-websocket-protocol", "chat");
        let mut answer = answer.body(()).unwrap().into_parts().0;
        let changed = wish.judge(&answer).unwrap();
        // As `hop_by_hop::strip` leaves it
        answer.headers.remove(CONNECTION);
        answer.headers.remove(UPGRADE);
        wish.tell(changed, &mut answer);
        let names: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!((answer.status, &names[..]), (StatusCode::OK, &["sec-websocket-protocol"][..]));
    }

    #[test]
    fn other_protocols_over_http_2_are_not_known() {
        assert_eq!(Upgrade::of_connect(&mut connect("connect-udp"), || [0; 16]).unwrap_err(), Refusal::UnknownProtocol);
        let mut plain = Request::builder().method("CONNECT").body(()).unwrap().into_parts().0;
        assert!(Upgrade::of_connect(&mut plain, || [0; 16]).unwrap().is_none());
    }
}
