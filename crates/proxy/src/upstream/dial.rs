//! The way to an upstream: the addresses of its name, and a connection to one of them.

use std::{
    cell::RefCell,
    net::SocketAddr,
    time::{Duration, Instant},
};

use endpoint::{Address, Failure, Names};
use tokio::{sync::Mutex, time};

use crate::{
    refusal::Refusal,
    route::upstream_address::UpstreamAddress,
    transport::socket::Socket,
    upstream::reach::{dial_unix, refuses},
};

/// How long an answer of the resolver holds: getaddrinfo tells no TTL. A part of it is left to chance, so that workers and pods
/// do not ask all at once.
const RESOLVED_FOR: Duration = Duration::from_secs(5);
/// A connection must stand within this, with TLS and HTTP/2 where they are spoken.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An upstream that takes no bytes for this time counts as gone. An app that is busy with the beginning of a body may read none of
/// the rest for much longer than a network is silent.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// The addresses of an upstream, as one worker knows them
pub(crate) struct Dial {
    names: Names,
    /// The addresses of the last lookup, and until when they hold
    resolved: RefCell<(Vec<SocketAddr>, Instant)>,
    /// The line of those that found the queue of a Unix socket full
    line: Mutex<()>,
}

impl Dial {
    pub(crate) fn new(now: Instant) -> Self {
        Self { names: Names::default(), resolved: RefCell::new((Vec::new(), now)), line: Mutex::default() }
    }

    /// A connection without a byte over it
    pub(crate) async fn connect(&self, address: &UpstreamAddress) -> Result<Socket, Failure> {
        let failure = match time::timeout(CONNECT_TIMEOUT, self.dial(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(failure)) => failure,
            Err(_) => self.names.unanswered().unwrap_or(Failure::Silent),
        };
        // The addresses may be those of pods that have gone. They stay known, because the resolver may have no answer.
        self.resolved.borrow_mut().1 = Instant::now();
        Err(failure)
    }

    async fn dial(&self, address: &UpstreamAddress) -> Result<Socket, Failure> {
        let address = match address {
            UpstreamAddress::Tcp(address) => address,
            UpstreamAddress::Unix(path) => return dial_unix(path, &self.line).await,
        };
        let is_known = {
            let resolved = self.resolved.borrow();
            !resolved.0.is_empty() && Instant::now() < resolved.1
        };
        if !is_known {
            self.resolve(address).await?;
        }
        let addresses = self.resolved.borrow().0.clone();
        Ok(Socket::Tcp(endpoint::dial_any(&addresses, SILENCE_LIMIT).await?))
    }

    /// Looks the name up. While the resolver fails, the last addresses hold.
    async fn resolve(&self, address: &Address) -> Result<(), Failure> {
        let found = endpoint::addresses(address, &self.names).await;
        let mut resolved = self.resolved.borrow_mut();
        match found {
            Ok(addresses) => resolved.0 = addresses,
            Err(failure) if resolved.0.is_empty() => return Err(failure),
            Err(_) => (),
        }
        resolved.1 = Instant::now() + RESOLVED_FOR.mul_f64(0.8 + 0.4 * fastrand::f64());
        Ok(())
    }
}

/// The refusal of a request where no connection stands
pub(crate) fn refusal(address: &UpstreamAddress, failure: &Failure) -> Refusal {
    match failure {
        // A listener that closes resets the connections that it has not accepted.
        Failure::Reset => Refusal::UpstreamRefuses,
        failure if refuses(address, failure) => Refusal::UpstreamRefuses,
        Failure::UnknownName(_) | Failure::NoDnsAnswer(_) | Failure::NotAskedYet(_) | Failure::Lookup { .. } => {
            Refusal::UpstreamUnknown
        }
        _ => Refusal::UpstreamUnreachable,
    }
}
