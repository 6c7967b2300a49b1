//! TCP connections to a name: all its addresses, so that a silent one does not stand in the way of the next (RFC 8305).

use std::{io, net::SocketAddr, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time};

use crate::{address::Address, failure::Failure, names::Names};

/// The next address is tried after this long without an answer of the one before (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// A connection whose other side acknowledges nothing for this long has failed: a host that is gone sends no reset, and the
/// kernel alone would try for 15 minutes (tcp(7), `TCP_USER_TIMEOUT` and `tcp_retries2`). Long enough for six
/// retransmissions, short enough for another connection within the 25 s of a stop. A receiver that takes no bytes for this time
/// (a window of zero) counts as gone, too.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// Where nothing is under way, the kernel asks after this much silence, and again after as much (tcp(7), `TCP_KEEPIDLE` and
/// `TCP_KEEPINTVL`): two questions may get lost within the limit.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Connects to the first address of the name that accepts. The caller sets the deadline by dropping the future; when the
/// name was not answered by then, [`Names::unanswered`] says why.
pub async fn dial(address: &Address, names: &Names) -> Result<TcpStream, Failure> {
    dial_with_limit(address, names, SILENCE_LIMIT).await
}

/// The same, with another limit of silence than [`SILENCE_LIMIT`]: for protocols without acknowledgements, where a receiver
/// that takes no bytes for a while must not cost those that are on their way to it.
pub async fn dial_with_limit(address: &Address, names: &Names, silence: Duration) -> Result<TcpStream, Failure> {
    dial_any(&addresses(address, names).await?, silence).await
}

/// All addresses of the name, with the port; at least one
pub async fn addresses(address: &Address, names: &Names) -> Result<Vec<SocketAddr>, Failure> {
    let ips = names.lookup(&address.host).await?;
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, address.port)).collect())
}

/// Connects to the first of these addresses that accepts, as [`dial_with_limit`] does.
pub async fn dial_any(addresses: &[SocketAddr], silence: Duration) -> Result<TcpStream, Failure> {
    let mut rest = addresses.iter().map(|address| connect(*address, silence));
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

async fn connect(address: SocketAddr, silence: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Protocols here exchange small messages in turn, and Nagle's algorithm would hold the second one back.
    stream.set_nodelay(true)?;
    bound_silence(&stream, silence)?;
    // A client on loopback may be given the very port that it dials, and TCP then connects it to itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Lets the kernel end the connection when the other side is silent, also during a write.
fn bound_silence(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    // Decides for keepalive too (tcp(7)).
    socket.set_tcp_user_timeout(Some(limit))
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
        assert!(dial_any(&[at("127.0.0.2", port), at("127.0.0.1", port)], SILENCE_LIMIT).await.is_ok());
        assert_eq!(dial_any(&[at("127.0.0.2", port)], SILENCE_LIMIT).await.unwrap_err(), Failure::Refused);
    }

    #[tokio::test]
    async fn a_connection_ends_when_the_other_side_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = dial_any(&[listener.local_addr().unwrap()], SILENCE_LIMIT).await.unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(SILENCE_LIMIT));
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE);
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
        while let Ok(stream) = time::timeout(patience, connect(at("127.0.0.2", port), SILENCE_LIMIT)).await {
            waiting.push(stream.unwrap());
        }
        let listener = TcpListener::bind(at("127.0.0.1", port)).await.unwrap();
        let both = [at("127.0.0.2", port), at("127.0.0.1", port)];
        let stream = time::timeout(Duration::from_secs(20), dial_any(&both, SILENCE_LIMIT)).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        drop((silent, waiting));
    }
}
