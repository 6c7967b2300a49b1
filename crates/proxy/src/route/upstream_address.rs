//! Where an upstream listens: at a name or an address with a port, or at a Unix socket.

use std::{net::IpAddr, path::PathBuf};

use endpoint::Address;

/// Where to connect
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamAddress {
    Tcp(Address),
    Unix(PathBuf),
}

impl UpstreamAddress {
    /// As metrics, the log and the access log name it: `host:port`, or the path of the socket
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Tcp(address) => address.authority(),
            Self::Unix(path) => path.display().to_string(),
        }
    }

    /// `server.address` and `server.port` of OpenTelemetry; a socket has its path in place of an address, and no port.
    pub(crate) fn server(&self) -> (String, String) {
        match self {
            Self::Tcp(address) => (address.host.clone(), address.port.to_string()),
            Self::Unix(path) => (path.display().to_string(), String::new()),
        }
    }

    /// Whether it is on this host
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(Address { host, .. }) => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            Self::Unix(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_host_is_this_one() {
        let is_local = |host: &str| UpstreamAddress::Tcp(Address { host: host.into(), port: 80 }).is_local();
        assert!(is_local("127.0.0.7") && is_local("::1") && is_local("localhost"));
        assert!(!is_local("10.0.0.1") && !is_local("localhost.example"));
        assert!(UpstreamAddress::Unix("/run/app.sock".into()).is_local());
    }
}
