//! An address to listen on, and the addresses that reach it from the same machine.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// An address to listen on: an IP address and a port, or a port on all addresses
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` means all addresses of both families
    pub ip: Option<IpAddr>,
    /// TCP port; 0 lets the system choose
    pub port: u16,
}

impl ListenAddress {
    /// Whether both are one address, however they are written. Sockets that share their address would share its connections.
    pub fn is_same(self, other: Self) -> bool {
        let ip = |address: Self| address.ip.map_or(Ipv6Addr::UNSPECIFIED.into(), |ip| ip.to_canonical());
        self.port == other.port && ip(self) == ip(other)
    }

    /// Whether two sockets cannot have these addresses at once. Port 0 is another port each time.
    pub(crate) fn takes_from(self, other: Self) -> bool {
        let is_v6 = |address: Self| address.ip.is_some_and(|ip| ip.to_canonical().is_ipv6());
        // A socket on `::` takes IPv4 too, and one on `0.0.0.0` takes nothing of IPv6.
        let holds = |one: Self, other: Self| match one.ip {
            Some(IpAddr::V4(ip)) => ip.is_unspecified() && !is_v6(other),
            Some(IpAddr::V6(ip)) => ip.is_unspecified(),
            None => true,
        };
        self.port == other.port && self.port != 0 && (holds(self, other) || holds(other, self) || self.is_same(other))
    }

    /// The addresses to dial, in this order, for a listener that may be on all addresses. A machine may have one family
    /// only, and a listener on `::` may be another program's that takes IPv6 alone.
    pub(crate) fn dial_addresses(self) -> Vec<SocketAddr> {
        let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
        let ips = match self.ip {
            None => vec![v4, v6],
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => vec![v6, v4],
            Some(IpAddr::V4(ip)) if ip.is_unspecified() => vec![v4],
            Some(ip) => vec![ip],
        };
        ips.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect()
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not an address to listen on: write :PORT for all addresses, \
                 127.0.0.1:PORT or [::1]:PORT for this machine alone; port 0 takes a free one"
            )
        };
        if let Some(port) = text.strip_prefix(':') {
            return Ok(Self { ip: None, port: port.parse().map_err(|_| wrong())? });
        }
        let address: SocketAddr = text.parse().map_err(|_| wrong())?;
        Ok(Self { ip: Some(address.ip()), port: address.port() })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let all = ListenAddress { ip: None, port: 9471 };
        assert_eq!(":9471".parse(), Ok(all));
        assert_eq!("[::1]:80".parse(), Ok(ListenAddress { ip: Some("::1".parse().unwrap()), port: 80 }));
        for text in ["9471", "localhost:9471", ":65536", "127.0.0.1", ""] {
            let error = text.parse::<ListenAddress>().unwrap_err();
            // A port of another helper would be taken in the same pod.
            assert!(error.ends_with("[::1]:PORT for this machine alone; port 0 takes a free one"), "{error}");
        }
    }

    #[test]
    fn one_address_may_be_written_in_several_ways() {
        let is_same = |one: &str, other: &str| one.parse::<ListenAddress>().unwrap().is_same(other.parse().unwrap());
        assert!(is_same(":80", "[::]:80") && is_same("127.0.0.1:80", "[::ffff:127.0.0.1]:80"));
        assert!(!is_same(":80", "0.0.0.0:80") && !is_same(":80", "127.0.0.1:80") && !is_same(":80", ":81"));
    }

    #[test]
    fn a_socket_takes_what_another_one_cannot_have_then() {
        let takes = |one: &str, other: &str| {
            let (one, other): (ListenAddress, ListenAddress) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.takes_from(other), other.takes_from(one));
            one.takes_from(other)
        };
        assert!(takes(":80", "127.0.0.1:80") && takes("[::]:80", "127.0.0.1:80") && takes("[::]:80", "0.0.0.0:80"));
        assert!(takes("0.0.0.0:80", "127.0.0.1:80") && takes("0.0.0.0:80", "[::ffff:127.0.0.1]:80"));
        assert!(!takes("0.0.0.0:80", "[::1]:80") && !takes("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!takes(":0", ":0") && !takes(":80", ":81"));
    }

    #[test]
    fn a_listener_is_dialled_where_it_can_be_reached() {
        for (text, addresses) in [
            (":80", &["127.0.0.1:80", "[::1]:80"][..]),
            ("[::]:80", &["[::1]:80", "127.0.0.1:80"]),
            ("0.0.0.0:80", &["127.0.0.1:80"]),
            ("192.0.2.1:80", &["192.0.2.1:80"]),
        ] {
            let dialled: Vec<_> = text.parse::<ListenAddress>().unwrap().dial_addresses();
            assert_eq!(dialled, addresses.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>(), "{text}");
        }
    }
}
