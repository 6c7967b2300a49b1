//! The word of a trusted proxy about the client: `X-Forwarded-*`, or `Forwarded` (RFC 7239) where no `X-Forwarded-For` came.
//!
//! The trusted proxy wrote the end of each list, and a stranger may have written the beginning. So the beginning is dropped up to
//! the last part that is malformed, and an app never sees a list that two readers could split in two ways.

use std::{
    fmt::{self, Display},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, header::FORWARDED};

use crate::{head::request_head::is_host, peer::Peer};

pub(crate) const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Schemes that a client may have used
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// A client, or a proxy on its way; displayed as `X-Forwarded-For` has it
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Ip(IpAddr),
    /// `unknown`, or a name that hides an address (RFC 7239, section 6.3)
    Hidden(String),
}

/// The word of a trusted proxy
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Believed {
    /// The client first
    pub(crate) nodes: Vec<Node>,
    /// The scheme and the host that the client used
    pub(crate) proto: Option<String>,
    pub(crate) host: Option<String>,
}

impl Believed {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let only = |name: &HeaderName| {
            let mut lines = headers.get_all(name).iter();
            let line = lines.next()?.to_str().ok()?.trim();
            lines.next().is_none().then(|| line.to_owned())
        };
        let mut believed = if headers.contains_key(FOR) {
            Self { nodes: forwarded_for(headers), ..Self::default() }
        } else {
            forwarded(headers)
        };
        believed.proto = only(&PROTO).or(believed.proto).filter(|proto| SCHEMES.contains(&proto.as_str()));
        believed.host = only(&FORWARDED_HOST).or(believed.host).filter(|host| is_host(host.as_bytes()));
        believed
    }
}

/// The nodes of `X-Forwarded-For`, behind the last that is none.
fn forwarded_for(headers: &HeaderMap) -> Vec<Node> {
    let mut nodes = Vec::new();
    for line in headers.get_all(FOR) {
        for element in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            match str::from_utf8(element).ok().map(str::parse) {
                Some(Ok(node)) => nodes.push(node),
                _ if element.is_empty() => (),
                _ => nodes.clear(),
            }
        }
    }
    nodes
}

/// The elements of `Forwarded`. Where a line is malformed, it and those before it count as one unknown node.
fn forwarded(headers: &HeaderMap) -> Believed {
    let unknown = || Node::Hidden("unknown".into());
    let mut elements = Vec::new();
    for line in headers.get_all(FORWARDED) {
        match line.to_str().ok().and_then(|line| Reader(line).elements()) {
            Some(more) => elements.extend(more),
            None => elements = vec![Element { node: Some(unknown()), ..Element::default() }],
        }
    }
    let (proto, host) = elements.first().map_or((None, None), |first| (first.proto.clone(), first.host.clone()));
    let nodes = elements.into_iter().map(|element| element.node.unwrap_or_else(unknown)).collect();
    Believed { nodes, proto, host }
}

/// One element of `Forwarded`
#[derive(Default)]
pub(crate) struct Element {
    node: Option<Node>,
    proto: Option<String>,
    host: Option<String>,
}

/// The unread rest of a line of `Forwarded`
pub(crate) struct Reader<'a>(pub(crate) &'a str);

impl Reader<'_> {
    /// All elements; nothing if the line breaks the grammar (RFC 7239, section 4).
    pub(crate) fn elements(mut self) -> Option<Vec<Element>> {
        let mut elements = Vec::new();
        loop {
            self.skip_blanks();
            if !self.0.is_empty() && !self.0.starts_with(',') {
                elements.push(self.element()?);
                self.skip_blanks();
            }
            if self.0.is_empty() {
                return Some(elements);
            }
            self.take(',')?;
        }
    }

    fn element(&mut self) -> Option<Element> {
        let mut element = Element::default();
        loop {
            let name = self.token()?.to_ascii_lowercase();
            self.take('=')?;
            let value = if self.0.starts_with('"') { self.quoted()? } else { self.token()? };
            let is_new = match name.as_str() {
                "for" => element.node.replace(value.parse().ok()?).is_none(),
                "proto" => element.proto.replace(value).is_none(),
                "host" => element.host.replace(value).is_none(),
                _ => true,
            };
            if !is_new {
                return None;
            }
            self.skip_blanks();
            if self.take(';').is_none() {
                return Some(element);
            }
            self.skip_blanks();
        }
    }

    fn token(&mut self) -> Option<String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then(|| token.to_owned())
    }

    fn quoted(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        let mut characters = self.0.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(text);
                }
                '\\' => text.push(characters.next()?.1),
                c => text.push(c),
            }
        }
        None
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

/// An address, which may be in brackets and have a port, `unknown`, or `_` and a name. The port is dropped, because few apps
/// expect one.
impl FromStr for Node {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') && text.chars().all(is_of_a_name) {
            return Ok(Self::Hidden(text.to_owned()));
        }
        let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
        let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
        let ip = text.parse::<IpAddr>().ok().or_else(bracketed).or_else(with_port);
        ip.map(|ip| Self::Ip(ip.to_canonical())).ok_or(())
    }
}

impl From<Peer> for Node {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Ip(ip) => Self::Ip(ip),
            Peer::Unix => Self::Hidden("unknown".into()),
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Hidden(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn nodes(lines: &[(&'static str, &str)]) -> String {
        let nodes = Believed::read(&headers(lines)).nodes;
        nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_list_is_believed_behind_the_last_element_that_is_malformed() {
        for (list, believed) in [
            ("1.1.1.1, 2.2.2.2", "1.1.1.1 2.2.2.2"),
            ("1.1.1.1:80,[2001:db8::1]:80, 2001:db8::2,, unknown, _x", "1.1.1.1 2001:db8::1 2001:db8::2 unknown _x"),
            ("<script>, 1.1.1.1", "1.1.1.1"),
            ("127.0.0.1, evil\", 1.1.1.1, ::ffff:2.2.2.2", "1.1.1.1 2.2.2.2"),
            ("1.1.1.1, unix:", ""),
        ] {
            assert_eq!(nodes(&[("x-forwarded-for", list)]), believed, "{list}");
        }
        assert_eq!(nodes(&[("x-forwarded-for", "bad, 1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]), "1.1.1.1 2.2.2.2");
    }

    #[test]
    fn forwarded_is_read_by_its_grammar_and_only_where_no_list_came() {
        for (line, believed) in [
            ("for=1.1.1.1;proto=https, For=\"[2001:db8::1]:80\" ; by=_x", "1.1.1.1 2001:db8::1"),
            ("by=10.0.0.1, for=1.1.1.1", "unknown 1.1.1.1"),
            ("for=\"1.1.1.1, for=2.2.2.2", "unknown"),
            ("for=1.1.1.1;for=2.2.2.2", "unknown"),
            ("for=2001:db8::1", "unknown"),
            ("for=evil", "unknown"),
            ("", ""),
        ] {
            assert_eq!(nodes(&[("forwarded", line)]), believed, "{line}");
        }
        assert_eq!(nodes(&[("forwarded", "for=\""), ("forwarded", "for=1.1.1.1")]), "unknown 1.1.1.1");
        assert_eq!(nodes(&[("forwarded", "for=127.0.0.1"), ("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    }

    #[test]
    fn scheme_and_host_are_single_and_of_their_kind() {
        let read = |lines: &[(&'static str, &str)]| {
            let believed = Believed::read(&headers(lines));
            (believed.proto, believed.host)
        };
        let both = |proto: &str, host: &str| (Some(proto.to_owned()), Some(host.to_owned()));
        assert_eq!(
            read(&[("x-forwarded-proto", "https"), ("x-forwarded-host", "shop:443")]),
            both("https", "shop:443")
        );
        assert_eq!(read(&[("forwarded", "for=1.1.1.1;host=\"a:1\";proto=https, for=x;host=b")]), (None, None));
        assert_eq!(read(&[("forwarded", "for=1.1.1.1;host=\"a:1\";proto=https, for=_x;host=b")]), both("https", "a:1"));
        for lines in [
            [("x-forwarded-proto", "https, http"), ("x-forwarded-host", "a, b")],
            [("x-forwarded-proto", "javascript"), ("x-forwarded-host", "a/b")],
        ] {
            assert_eq!(read(&lines), (None, None), "{lines:?}");
        }
        assert_eq!(read(&[("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")]), (None, None));
    }
}
