//! TCP connections to a name: all its addresses, so that a silent one does not stand in the way of the next (RFC 8305).

use std::{io, net::SocketAddr, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{net::TcpStream, time};

use crate::{address::Address, failure::Failure, names::Names};

/// The next address is tried after this long without an answer of the one before (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first address of the name that accepts. The caller sets the deadline by dropping the future; when the
/// name was not answered by then, [`Names::unanswered`] says why.
pub async fn dial(address: &Address, names: &Names) -> Result<TcpStream, Failure> {
    dial_one_of(&addresses(address, names).await?).await
}

/// All addresses of the name, with the port; at least one
pub async fn addresses(address: &Address, names: &Names) -> Result<Vec<SocketAddr>, Failure> {
    let ips = names.lookup(&address.host).await?;
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, address.port)).collect())
}

async fn dial_one_of(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut rest = addresses.iter().copied().map(connect);
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
    Err(weakest.map_or(Failure::NoLocalAddress, Failure::from))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Protocols here exchange small messages in turn, and Nagle's algorithm would hold the second one back.
    stream.set_nodelay(true)?;
    // A client on loopback may be given the very port that it dials, and TCP then connects it to itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// The failure that proves less: only when every address refuses is no server there. An address that this host can't dial
/// at all, such as an IPv6 address on a host without IPv6, proves nothing beside an address that it can dial.
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
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn at(ip: &str, port: u16) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), port)
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_end_the_attempt() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(dial_one_of(&[at("127.0.0.2", port), at("127.0.0.1", port)]).await.is_ok());
        assert_eq!(dial_one_of(&[at("127.0.0.2", port)]).await.unwrap_err(), Failure::Refused);
    }

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_stand_in_the_way() {
        // A listener whose backlog is full drops what comes, as a host that is gone does.
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind(at("127.0.0.2", 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let silent = silent.listen(1).unwrap();
        let patience = Duration::from_millis(100);
        let mut waiting = Vec::new();
        while let Ok(stream) = time::timeout(patience, connect(at("127.0.0.2", port))).await {
            waiting.push(stream.unwrap());
        }
        let listener = TcpListener::bind(at("127.0.0.1", port)).await.unwrap();
        let both = [at("127.0.0.2", port), at("127.0.0.1", port)];
        let stream = time::timeout(Duration::from_secs(20), dial_one_of(&both)).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        drop((silent, waiting));
    }
}
