//! A connection to wherever an upstream listens.

use std::{io, path::Path, time::Duration};

use endpoint::{Failure, Names, SILENCE_LIMIT};
use tokio::{sync::Mutex, time};

use crate::{route::upstream_address::UpstreamAddress, transport::socket::Socket};

/// The pause after an attempt to connect to a Unix socket whose queue is full. TCP would repeat its first packet, but the system
/// refuses such a connection at once (`EAGAIN` in connect(2)).
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Connects to this address, without a limit of its own.
pub(crate) async fn dial(address: &UpstreamAddress, names: &Names) -> Result<Socket, Failure> {
    dial_with_limit(address, names, SILENCE_LIMIT).await
}

/// The same, with another limit of silence: see [`endpoint::dial_with_limit`]. The system knows none for Unix sockets, whose other
/// side ends with its process.
pub(crate) async fn dial_with_limit(
    address: &UpstreamAddress,
    names: &Names,
    silence: Duration,
) -> Result<Socket, Failure> {
    match address {
        UpstreamAddress::Tcp(address) => endpoint::dial_with_limit(address, names, silence).await.map(Socket::Tcp),
        UpstreamAddress::Unix(path) => dial_unix(path, &Mutex::new(())).await,
    }
}

/// Whether nothing takes connections there, so that nothing was sent and a later attempt may succeed: the port is closed, the socket's
/// server has not bound it yet or has removed it, or has not opened it for this process. Where a
/// policy of the system denies a connection over TCP, the port may be open for others.
pub(crate) fn refuses(address: &UpstreamAddress, failure: &Failure) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied};
    match (address, failure) {
        (_, Failure::Refused) => true,
        (UpstreamAddress::Unix(_), Failure::Io { kind, .. }) => matches!(kind, NotFound | PermissionDenied),
        _ => false,
    }
}

/// Connects to a Unix socket, also where its queue is full for a while. Callers that share `line` then try one after the other,
/// because each attempt costs a change of threads.
pub(crate) async fn dial_unix(path: &Path, line: &Mutex<()>) -> Result<Socket, Failure> {
    let mut turn = None;
    loop {
        match endpoint::connect_unix(path).await {
            Ok(stream) => return Ok(Socket::Unix(stream)),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(failure(path, &error)),
            Err(_) if turn.is_none() => turn = Some(line.lock().await),
            Err(_) => time::sleep(QUEUE_PAUSE).await,
        }
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let (kind, path) = (error.kind(), path.display());
    let text = match kind {
        io::ErrorKind::NotFound => format!("{path} is not there: does the app listen at this path?"),
        io::ErrorKind::PermissionDenied => {
            format!(
                "permission denied on {path}: let the proxy's user or group write the socket and enter its directory"
            )
        }
        _ => return error.into(),
    };
    Failure::Io { kind, text }
}

#[cfg(test)]
mod tests {
    use endpoint::Address;

    use super::*;

    #[test]
    fn a_connection_that_the_system_denies_is_no_closed_port() {
        let denied: Failure = io::Error::from(io::ErrorKind::PermissionDenied).into();
        let tcp = UpstreamAddress::Tcp(Address::of(&"http://127.0.0.1".parse().unwrap(), Some(80)).unwrap());
        assert!(refuses(&tcp, &Failure::Refused) && !refuses(&tcp, &denied));
        let unix = UpstreamAddress::Unix("/app.sock".into());
        assert!(refuses(&unix, &Failure::Refused) && refuses(&unix, &denied));
    }
}
