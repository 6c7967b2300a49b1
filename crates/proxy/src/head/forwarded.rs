//! The headers that tell the app about the client: `X-Forwarded-For`, `-Proto`, `-Host`, `-Client-Cert`, and `Forwarded` (RFC 7239).

mod believed;
pub(crate) mod client_certificate;
pub(crate) mod trace_context;
pub(crate) mod trusted;

use std::{cell::RefCell, iter, net::IpAddr};

use endpoint::Certificate;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, HOST},
};

use self::believed::{Believed, FOR, FORWARDED_HOST, Node, PROTO};
use crate::{
    head::{hop_by_hop::seen::Seen, spelling},
    peer::Peer,
};

/// The values of these headers for one client, made once a connection
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// The address, as `X-Forwarded-For` has it; `unknown` of a client without one
    address: HeaderValue,
    /// The last `Host`, and the `Forwarded` that was made with it
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
    peer: Peer,
    /// The scheme of the client's connection
    proto: &'static str,
    /// The identity in the client's verified certificate
    identity: Option<HeaderValue>,
}

impl Forwarded {
    pub(crate) fn new(peer: Peer) -> Self {
        let address = HeaderValue::try_from(peer.to_string()).expect("an address is ASCII");
        Self { address, last: RefCell::default(), peer, proto: "http", identity: None }
    }

    /// The client itself; an IPv4 address is one, whichever socket it came by.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The same of a client that speaks TLS, perhaps with a certificate that was verified
    pub(crate) fn over_tls(self, certificate: Option<&Certificate>) -> Self {
        Self { proto: "https", identity: certificate.map(client_certificate::value), ..self }
    }

    /// Sets the identity of the client's own certificate, or none, also where a trusted proxy has named another one.
    pub(crate) fn apply_identity(&self, headers: &mut HeaderMap) {
        let header = client_certificate::HEADER;
        spelling::remove_mimics(headers, || iter::once(&header));
        match &self.identity {
            Some(identity) => headers.insert(header, identity.clone()),
            None => headers.remove(header),
        };
    }

    /// Sets all of them in place of those that the client sent.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, seen: Seen) {
        if seen.has(Seen::CLAIM.or(Seen::UNDERSCORE)) {
            let claims: Vec<_> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
            for name in claims {
                headers.remove(name);
            }
            headers.remove(FORWARDED);
        }
        let host = headers.get(HOST).cloned();
        headers.append(FOR, self.address.clone());
        headers.append(PROTO, HeaderValue::from_static(self.proto));
        if let Some(host) = host.clone() {
            headers.append(FORWARDED_HOST, host);
        }
        headers.append(FORWARDED, self.forwarded(host));
    }

    /// Sets all of them after the word of the client, a proxy that is trusted. Both kinds of header say the same.
    pub(crate) fn apply_believing(&self, headers: &mut HeaderMap) {
        let Believed { mut nodes, proto, host } = Believed::read(headers);
        let own_host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        nodes.push(self.peer.into());
        let mut elements = Vec::new();
        for (nth, node) in nodes.iter().enumerate() {
            // The first element is about the client, and the last one about the connection to this proxy.
            let (is_first, is_last) = (nth == 0, nth + 1 == nodes.len());
            let host = host.as_deref().filter(|_| is_first).or(own_host.as_deref().filter(|_| is_last));
            let proto = proto.as_deref().filter(|_| is_first).or(is_last.then_some(self.proto));
            elements.push(element(node, host, proto));
        }
        let chain: Vec<_> = nodes.iter().map(Node::to_string).collect();
        let value = |text: &str| HeaderValue::from_str(text).expect("the parts were judged to be ASCII");
        headers.insert(FOR, value(&chain.join(", ")));
        headers.insert(PROTO, value(proto.as_deref().unwrap_or(self.proto)));
        match host.or(own_host) {
            Some(host) => headers.insert(FORWARDED_HOST, value(&host)),
            None => headers.remove(FORWARDED_HOST),
        };
        headers.insert(FORWARDED, value(&elements.join(", ")));
    }

    fn forwarded(&self, host: Option<HeaderValue>) -> HeaderValue {
        let Some(host) = host else { return self.made("") };
        let mut last = self.last.borrow_mut();
        if let Some((known, value)) = &*last
            && *known == host
        {
            return value.clone();
        }
        let value = self.made(host.to_str().unwrap_or_default());
        // A copy, because a clone would keep the buffer that the whole head was read into.
        *last = HeaderValue::from_bytes(host.as_bytes()).ok().map(|host| (host, value.clone()));
        value
    }

    fn made(&self, host: &str) -> HeaderValue {
        let host = Some(host).filter(|host| !host.is_empty());
        let element = element(&self.peer.into(), host, Some(self.proto));
        HeaderValue::try_from(element).expect("hosts were judged to be ASCII")
    }
}

/// An element of `Forwarded`, its values quoted where a colon or a bracket is part of one (RFC 7239, section 6).
fn element(node: &Node, host: Option<&str>, proto: Option<&str>) -> String {
    let mut element = match node {
        Node::Ip(IpAddr::V6(ip)) => format!("for=\"[{ip}]\""),
        node => format!("for={node}"),
    };
    if let Some(host) = host {
        let quote = if host.contains([':', '[']) { "\"" } else { "" };
        element.extend([";host=", quote, host, quote]);
    }
    if let Some(proto) = proto {
        element.extend([";proto=", proto]);
    }
    element
}

/// Whether apps read the header as a proxy's word about the client, also where an underscore stands for a hyphen.
fn is_claim(name: &HeaderName) -> bool {
    const FAMILY: &[u8] = b"x-forwarded-";
    const REAL_IP: &[u8] = b"x-real-ip";
    let name = name.as_str().as_bytes();
    let begins = |beginning: &[u8]| {
        name.len() >= beginning.len()
            && name.iter().zip(beginning).all(|(byte, known)| byte == known || (*byte == b'_' && *known == b'-'))
    };
    name[0] == b'x' && (begins(FAMILY) || name.len() == REAL_IP.len() && begins(REAL_IP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::believed::Reader;
    use super::*;

    fn applied(is_trusted: bool, lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let forwarded = Forwarded::new("::ffff:10.0.0.7".parse::<IpAddr>().unwrap().into());
        if is_trusted {
            forwarded.apply_believing(&mut headers);
        } else {
            let seen = Seen::of(&headers);
            forwarded.apply(&mut headers.clone(), seen);
            forwarded.apply(&mut headers, seen);
        }
        headers
    }

    #[test]
    fn a_client_is_not_believed() {
        let claims = [
            ("host", "app:80"),
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=evil"),
            ("x-forwarded-port", "443"),
            ("x_forwarded-user", "root"),
            ("x-real-ip", "1.1.1.1"),
            ("x-request-id", "7"),
        ];
        let headers = applied(false, &claims);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.7");
        assert_eq!(headers["x-forwarded-host"], "app:80");
        assert_eq!(headers["forwarded"], "for=10.0.0.7;host=\"app:80\";proto=http");
        assert_eq!(headers.get_all("forwarded").iter().count(), 1);
        // Host, the four, and the one that is no claim
        assert_eq!((headers.keys_len(), &headers["x-request-id"]), (6, &HeaderValue::from_static("7")));
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_named_behind_its_client() {
        let before = [
            ("host", "app"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
        ];
        let headers = applied(true, &before);
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 2.2.2.2, 10.0.0.7");
        assert_eq!([&headers["x-forwarded-proto"], &headers["x-forwarded-host"]], ["https", "app"]);
        assert_eq!(headers["forwarded"], "for=1.1.1.1;proto=https, for=2.2.2.2, for=10.0.0.7;host=app;proto=http");
        assert_eq!(headers["x-forwarded-port"], "443");
    }

    #[test]
    fn both_kinds_of_header_say_the_same() {
        // An old `Forwarded` of a stranger, which the trusted proxy let through
        let headers = applied(true, &[("host", "app"), ("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=127.0.0.1")]);
        assert_eq!(headers["forwarded"], "for=1.1.1.1, for=10.0.0.7;host=app;proto=http");
        let line = "for=\"[2001:db8::1]:80\";host=\"shop:443\";proto=https";
        let headers = applied(true, &[("host", "app"), ("forwarded", line)]);
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1, 10.0.0.7");
        assert_eq!([&headers["x-forwarded-proto"], &headers["x-forwarded-host"]], ["https", "shop:443"]);
        // A proxy that says of the client only how it came
        let headers = applied(true, &[("host", "app"), ("x-forwarded-proto", "https")]);
        assert_eq!(headers["forwarded"], "for=10.0.0.7;host=app;proto=https");
    }

    #[test]
    fn an_ipv6_address_is_quoted_where_the_grammar_asks_for_it() {
        let mut headers = HeaderMap::new();
        Forwarded::new(Peer::Ip("2001:db8::1".parse().unwrap())).apply(&mut headers, Seen::of(&HeaderMap::new()));
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=http");
    }

    #[test]
    fn a_client_without_an_address_is_unknown() {
        let mut headers = HeaderMap::from_iter([(FOR, HeaderValue::from_static("1.1.1.1"))]);
        let unix = Forwarded::new(Peer::Unix);
        unix.apply(&mut headers, Seen::CLAIM);
        assert_eq!([&headers[FOR], &headers[FORWARDED]], ["unknown", "for=unknown;proto=http"]);
        headers.insert(FOR, HeaderValue::from_static("1.1.1.1"));
        unix.apply_believing(&mut headers);
        assert_eq!(
            [&headers[FOR], &headers[FORWARDED]],
            ["1.1.1.1, unknown", "for=1.1.1.1;proto=http, for=unknown;proto=http"]
        );
    }

    proptest! {
        #[test]
        fn what_is_made_of_the_word_of_a_trusted_proxy_is_well_formed(
            list in "[ -~]{0,40}",
            line in "[ -~]{0,40}",
            host in "[ -~]{0,9}",
            has_list in any::<bool>(),
        ) {
            let mut lines = vec![("host", "app:80"), ("forwarded", &*line), ("x-forwarded-host", &host)];
            if has_list {
                lines.push(("x-forwarded-for", &list));
            }
            let headers = applied(true, &lines);
            let forwarded = headers[FORWARDED].to_str().unwrap();
            let elements = Reader(forwarded).elements();
            prop_assert!(elements.is_some(), "{}", forwarded);
            let chain: Vec<_> = headers[FOR].to_str().unwrap().split(", ").map(str::parse::<Node>).collect();
            prop_assert!(chain.iter().all(Result::is_ok), "{:?}", headers[FOR]);
            prop_assert_eq!(chain.len(), elements.unwrap().len());
        }
    }
}
