//! The other end of a client's connection.

use std::{fmt, net::IpAddr};

/// Where a client's connection comes from
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Ip(IpAddr),
    /// A client of a Unix socket, which has no address
    Unix,
}

/// An IPv4 address is one, also where a socket for both families shows it as `::ffff:10.0.0.7`.
impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

/// A client without an address is `unknown` (RFC 7239, section 6.2).
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Unix => f.write_str("unknown"),
        }
    }
}
