//! The other end of a client's connection.

use std::{fmt, net::IpAddr};

/// Where a client's connection comes from
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Ip(IpAddr),
    /// A client of a Unix socket, which has no address
    Unix,
}

impl Peer {
    /// The same; an IPv4 address is one, whichever socket it came by.
    pub(crate) fn to_canonical(self) -> Self {
        match self {
            Self::Ip(ip) => Self::Ip(ip.to_canonical()),
            Self::Unix => Self::Unix,
        }
    }
}

impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
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
