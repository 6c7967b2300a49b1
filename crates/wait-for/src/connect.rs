//! TCP connections to a name: all its addresses, a slow one not in the way of the next.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use endpoint::one_line;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};
use url::Url;

use crate::{
    check::{Cause, NotReady},
    names::Names,
};

/// The next address is tried after this long without an answer of the one before (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// A byte stream, plain or TLS
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A host and a port to dial
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address without brackets
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Takes both from a URL; `default_port` is that of the protocol, where it has one.
    pub(crate) fn of(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        check_name(&host)?;
        match url.port_or_known_default().or(default_port) {
            Some(0) => Err("port 0 can't be dialed: give a port from 1 to 65535".into()),
            Some(port) => Ok(Self { host, port }),
            None => Err(format!("the port is missing: write {}://{host}:PORT", url.scheme())),
        }
    }

    /// `host:port`, as requests name it
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Connects to the first address that accepts.
    pub(crate) async fn dial(&self, names: &Names) -> Result<TcpStream, NotReady> {
        self.dial_one_of(names.lookup(&self.host).await?).await
    }

    async fn dial_one_of(&self, addresses: Vec<IpAddr>) -> Result<TcpStream, NotReady> {
        let mut rest = addresses.into_iter().map(|ip| connect(SocketAddr::new(ip, self.port)));
        let mut attempts: FuturesUnordered<_> = rest.next().into_iter().collect();
        let mut weakest = None;
        loop {
            tokio::select! {
                Some(attempt) = attempts.next() => match attempt {
                    Ok(stream) => return Ok(stream),
                    Err(error) => {
                        weakest = Some(weaker(weakest, error));
                        attempts.extend(rest.next());
                    }
                },
                () = time::sleep(STAGGER), if rest.len() > 0 => attempts.extend(rest.next()),
                else => break,
            }
        }
        Err(weakest.map_or_else(|| NotReady::new(Cause::UnknownName, "the name has no address"), NotReady::from))
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Every protocol here is a few small words in turn, and Nagle's algorithm would hold the second one back.
    stream.set_nodelay(true)?;
    // A client on loopback may be given the very port it dials, and TCP then connects it to itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Refuses what DNS can't hold (RFC 1035, section 2.3.4): asked for, it would be an unknown name, and so "gone" for `not`.
pub(crate) fn check_name(host: &str) -> Result<(), String> {
    const NAME_LIMIT: usize = 253;
    const LABEL_LIMIT: usize = 63;
    let name = host.strip_suffix('.').unwrap_or(host);
    let possible = name.len() <= NAME_LIMIT && name.split('.').all(|label| (1..=LABEL_LIMIT).contains(&label.len()));
    if possible || host.parse::<IpAddr>().is_ok() {
        Ok(())
    } else {
        Err(format!("{:?} can't be a host name", one_line(host)))
    }
}

/// Of two failures the one that proves less: only if every address refuses is nothing there. An address that this host
/// can't dial at all, such as one of IPv6 where there is none, says nothing beside one that it can.
fn weaker(one: Option<io::Error>, other: io::Error) -> io::Error {
    let rank = |error: &io::Error| match error.kind() {
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::NetworkUnreachable => 0,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => 1,
        _ => 2,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_is_not_the_last_word() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address { host: "two".into(), port: listener.local_addr().unwrap().port() };
        let both = ["127.0.0.2", "127.0.0.1"].map(|ip| ip.parse().unwrap()).to_vec();
        assert!(address.dial_one_of(both).await.is_ok());
        let refused = address.dial_one_of(vec!["127.0.0.2".parse().unwrap()]).await.unwrap_err();
        assert_eq!(refused, NotReady::new(Cause::Absent, "connection refused"));
    }

    #[test]
    fn ports() {
        let of = |url: &str, default| Address::of(&Url::parse(url).unwrap(), default);
        assert_eq!(of("tcp://[::1]:80", None).unwrap(), Address { host: "::1".into(), port: 80 });
        assert_eq!(of("https://api", None).unwrap().port, 443);
        assert_eq!(of("mysql://db", Some(3306)).unwrap().port, 3306);
        assert_eq!(of("tcp://db", None).unwrap_err(), "the port is missing: write tcp://db:PORT");
        assert!(of("tcp://db:0", None).unwrap_err().starts_with("port 0"));
        assert_eq!(of("tcp:///x", None).unwrap_err(), "the host is missing");
    }
}
