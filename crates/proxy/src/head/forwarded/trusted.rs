//! The proxies whose word about a client is believed: by their addresses, or by the Unix socket that they come through.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::peer::Peer;

/// A network, such as `10.0.0.0/8`, or one address; or `unix:`, every client of a Unix socket
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cidr {
    Network(IpNet),
    Unix,
}

impl Cidr {
    /// Whether it has this client, also where a socket for both families shows an IPv4 address as `::ffff:10.0.0.7`.
    pub(crate) fn contains(&self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Network(network), Peer::Ip(ip)) => network.contains(&ip.to_canonical()),
            (Self::Unix, Peer::Unix) => true,
            _ => false,
        }
    }
}

/// No error repeats the text.
impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unix:" {
            return Ok(Self::Unix);
        }
        let network = match text.parse::<IpAddr>() {
            Ok(ip) => IpNet::from(ip),
            Err(_) => {
                text.parse().map_err(|_| "write an address or a network, such as 10.0.0.0/8, or unix:".to_owned())?
            }
        };
        match network {
            IpNet::V6(v6) if v6.prefix_len() >= 96 && v6.addr().to_ipv4_mapped().is_some() => {
                Err("write an IPv4 network as IPv4, such as 10.0.0.0/8".into())
            }
            network if network.addr() != network.network() => {
                Err("the address has bits behind its prefix: write the network's own address, as in 10.0.0.0/8".into())
            }
            network => Ok(Self::Network(network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses() {
        let contains =
            |network: &str, ip: &str| network.parse::<Cidr>().unwrap().contains(Peer::Ip(ip.parse().unwrap()));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.7") && contains("10.0.0.7", "::ffff:10.0.0.7"));
        assert!(contains("2001:db8::/32", "2001:db8::7") && !contains("2001:db8::/32", "10.0.0.7"));
        assert!(!contains("::/0", "::ffff:10.0.0.7") && contains("0.0.0.0/0", "::ffff:10.0.0.7"));
        let unix = "unix:".parse::<Cidr>().unwrap();
        assert!(unix.contains(Peer::Unix) && !unix.contains(Peer::Ip("127.0.0.1".parse().unwrap())));
        assert!(!"0.0.0.0/0".parse::<Cidr>().unwrap().contains(Peer::Unix));
        for wrong in
            ["", "unix:x", "10.0.0.1/8", "10.0.0.0/33", "ten", "::ffff:10.0.0.0/104", "::ffff:10.0.0.7", "10.0.0.0/8 "]
        {
            let error = wrong.parse::<Cidr>().unwrap_err();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
