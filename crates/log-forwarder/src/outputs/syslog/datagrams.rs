//! One datagram a record, of a size that receivers take.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use endpoint::{Address, Names};
use tokio::{net::UdpSocket, time};

use crate::outputs::{Attempt, Setup, dial::error_text};

/// The size that every receiver should take (RFC 5426, section 3.2)
const USUAL_SIZE: u64 = 2048;
/// The size that fits into a datagram of IPv4
const LARGEST_SIZE: u64 = 65_507;
/// A batch must pass within this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The name is looked up again after this: nothing tells that a receiver has moved.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

/// Datagrams to one receiver
pub(super) struct Datagrams {
    address: Address,
    names: Names,
    limit: usize,
    socket: Option<Socket>,
    /// Addresses in a row that have failed; the next socket begins behind them
    failed: usize,
}

struct Socket {
    socket: UdpSocket,
    since: Instant,
}

impl Datagrams {
    /// Takes `max-datagram`.
    pub(super) fn open(setup: &mut Setup, port: Option<u16>) -> Result<Self, String> {
        let limit = setup.options.parsed("max-datagram", lifecycle::size)?.unwrap_or(USUAL_SIZE);
        let limit = usize::try_from(limit).ok().filter(|_| (1..=LARGEST_SIZE).contains(&limit));
        let limit = limit.ok_or_else(|| format!("option max-datagram: a datagram has at most {LARGEST_SIZE} bytes"))?;
        Ok(Self { address: Address::of(setup.url, port)?, names: Names::default(), limit, socket: None, failed: 0 })
    }

    /// Sends the messages that end there, each alone. One that is too long is refused, because a
    /// cut would go unnoticed.
    pub(super) async fn deliver(&mut self, messages: &[u8], ends: &[usize]) -> Attempt {
        let mut refused = Vec::new();
        match time::timeout(TIMEOUT, self.send(messages, ends, &mut refused)).await {
            Ok(Ok(())) if refused.is_empty() => Attempt::Delivered,
            Ok(Ok(())) => Attempt::Mixed { refused, again: Vec::new(), reason: String::new(), after: None },
            Ok(Err(reason)) => {
                self.failed += 1;
                Attempt::again(reason)
            }
            Err(_) => match self.names.unanswered() {
                Some(failure) => Attempt::again(failure),
                None => Attempt::again("nothing was taken within a minute"),
            },
        }
    }

    async fn send(
        &mut self,
        messages: &[u8],
        ends: &[usize],
        refused: &mut Vec<(usize, String)>,
    ) -> Result<(), String> {
        let kept = self.socket.take().filter(|kept| kept.since.elapsed() < LOOKUP_INTERVAL);
        let Socket { socket, since } = match kept {
            Some(kept) => kept,
            None => Socket { socket: self.connect().await?, since: Instant::now() },
        };
        let mut start = 0;
        for (number, end) in ends.iter().enumerate() {
            let message = &messages[start..*end];
            start = *end;
            if message.len() > self.limit {
                let (length, limit) = (message.len(), self.limit);
                refused.push((number, format!("a datagram of {length} bytes is more than max-datagram={limit}")));
            } else {
                socket.send(message).await.map_err(|error| error_text(&error))?;
            }
        }
        // A host where no process listens answers a datagram with an error, which may arrive after
        // the last datagram.
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Err(error_text(&error)),
        }
        self.failed = 0;
        self.socket = Some(Socket { socket, since });
        Ok(())
    }

    /// A connected socket, because it gets an error when no process listens. An address that is
    /// known to fail comes last: datagrams have no handshake that would find the address that
    /// works.
    async fn connect(&self) -> Result<UdpSocket, String> {
        let addresses = endpoint::addresses(&self.address, &self.names).await.map_err(|failure| failure.to_string())?;
        let mut last = None;
        for address in addresses.iter().cycle().skip(self.failed % addresses.len()).take(addresses.len()) {
            match connect(*address).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| "the name has no address".to_owned(), |error| error_text(&error)))
    }
}

async fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}
