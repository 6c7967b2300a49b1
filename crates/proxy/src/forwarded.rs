//! The headers that tell the app about the client: `X-Forwarded-For`, `-Proto`, `-Host`, and `Forwarded` (RFC 7239).

use std::{cell::RefCell, net::IpAddr};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, HOST},
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The values of these headers for one client, made once a connection
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// The address, as `X-Forwarded-For` has it
    address: HeaderValue,
    /// Whether to believe the headers that the client sends
    is_trusted: bool,
    /// The last `Host`, and the `Forwarded` that was made with it
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
    ip: IpAddr,
}

impl Forwarded {
    pub(crate) fn new(ip: IpAddr, is_trusted: bool) -> Self {
        let ip = ip.to_canonical();
        let address = HeaderValue::try_from(ip.to_string()).expect("an address is ASCII");
        Self { address, is_trusted, last: RefCell::default(), ip }
    }

    /// Sets all of them. What the client says itself stays only if the client is trusted, in front of its own address.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        let host = headers.get(HOST).cloned();
        if self.is_trusted {
            append(headers, FOR, &self.address);
            headers.entry(PROTO).or_insert(HeaderValue::from_static("http"));
            if let Some(host) = host.clone() {
                headers.entry(FORWARDED_HOST).or_insert(host);
            }
            append(headers, FORWARDED, &self.forwarded(host));
            return;
        }
        headers.insert(FOR, self.address.clone());
        headers.insert(PROTO, HeaderValue::from_static("http"));
        match host.clone() {
            Some(host) => headers.insert(FORWARDED_HOST, host),
            None => headers.remove(FORWARDED_HOST),
        };
        headers.insert(FORWARDED, self.forwarded(host));
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

    /// Quoted where a colon or a bracket is part of a value (RFC 7239, section 6).
    fn made(&self, host: &str) -> HeaderValue {
        let client = match self.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("\"[{ip}]\""),
        };
        let host = match host {
            "" => String::new(),
            host if host.contains([':', '[']) => format!(";host=\"{host}\""),
            host => format!(";host={host}"),
        };
        HeaderValue::try_from(format!("for={client}{host};proto=http")).expect("hosts were judged to be ASCII")
    }
}

/// Adds a value to a list that may stand in several lines, as one line.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    let mut list = Vec::new();
    for line in headers.get_all(&name) {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(value.as_bytes());
    headers.insert(name, HeaderValue::from_bytes(&list).expect("joined header values are one"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_trusted: bool, lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let forwarded = Forwarded::new("::ffff:10.0.0.7".parse().unwrap(), is_trusted);
        forwarded.apply(&mut headers.clone());
        forwarded.apply(&mut headers);
        headers
    }

    #[test]
    fn a_client_is_not_believed() {
        let headers = told(false, &[("host", "app:80"), ("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=evil")]);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.7");
        assert_eq!(headers["x-forwarded-host"], "app:80");
        assert_eq!(headers["forwarded"], "for=10.0.0.7;host=\"app:80\";proto=http");
        assert_eq!(headers.get_all("forwarded").iter().count(), 1);
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_named_behind_its_client() {
        let before = [
            ("host", "app"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-proto", "https"),
        ];
        let headers = told(true, &before);
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 2.2.2.2, 10.0.0.7");
        assert_eq!(
            (&headers["x-forwarded-proto"], &headers["x-forwarded-host"]),
            (&"https".parse().unwrap(), &"app".parse().unwrap())
        );
        assert_eq!(headers["forwarded"], "for=10.0.0.7;host=app;proto=http");
    }

    #[test]
    fn an_ipv6_address_is_quoted_where_the_grammar_asks_for_it() {
        let mut headers = HeaderMap::new();
        Forwarded::new("2001:db8::1".parse().unwrap(), false).apply(&mut headers);
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=http");
    }
}
