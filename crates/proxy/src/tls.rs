//! TLS of a listener: the handshake with a client within bounds, and the facts that it has shown of
//! the client.

pub(crate) mod handshakes;
pub(crate) mod outcome;
mod refused_clients;

use std::{future::poll_fn, time::Duration};

use endpoint::{Certificate, ClientTrust, ServerTls};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::{
    io::AsyncWriteExt,
    time::{self, Instant},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::{handshakes::Handshakes, outcome::Outcome};
use crate::transport::{
    Transport,
    linger::{LINGER, linger},
    socket::Socket,
};

/// A record with the fatal alert `internal_error` (RFC 8446, section 6.2), for clients that come before the certificate
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
/// The time for the first byte of a connection once the listener closes
const FIRST_BYTE: Duration = Duration::from_secs(1);

/// The facts that a handshake has shown of a client
#[derive(Debug)]
pub(crate) struct Session {
    /// The client's own certificate, if it has one that was verified
    pub(crate) certificate: Option<Box<Certificate>>,
    /// As OpenTelemetry has it in `tls.protocol.version`
    pub(crate) version: &'static str,
    /// The proof that it had to give
    pub(crate) trust: ClientTrust,
}

/// How a connection to a listener with TLS begins
pub(crate) enum Beginning {
    /// HTTP comes next, perhaps inside of TLS
    Ready(Transport, Option<Session>),
    /// The client speaks HTTP without TLS
    PlainHttp(Socket),
    /// The connection is over; with the reason where the client's certificate is refused
    Over(Option<String>),
}

/// Shakes hands with a client. A client that sends nothing has less time once the listener closes.
pub(crate) async fn begin(
    tls: &ServerTls,
    mut socket: Socket,
    handshakes: &Handshakes,
    closing: impl Future<Output = ()>,
) -> (Beginning, Outcome) {
    let deadline = Instant::now() + handshakes.timeout;
    if let Err(outcome) = until_first_byte(&socket, deadline, closing).await {
        return (Beginning::Over(None), outcome);
    }
    // A method of HTTP, or its second version's preface. TLS begins with 22 (RFC 8446, section 5.1).
    if socket.peek().await.is_some_and(|byte| byte.is_ascii_uppercase()) {
        return (Beginning::PlainHttp(socket), Outcome::PlainHttp);
    }
    let mut slot = match handshakes.slot(deadline).await {
        Ok(slot) => slot,
        Err(outcome) => return (Beginning::Over(None), outcome),
    };
    // Before the settings, so that authorities that change in between count as changed.
    let trust = tls.client_trust();
    let Some(config) = tls.config() else {
        drop(slot);
        // The client may have gone already.
        let _ = time::timeout(LINGER, socket.write_all(&INTERNAL_ERROR)).await;
        linger(&mut socket).await;
        return (Beginning::Over(None), Outcome::NoCertificate);
    };
    let accepting = TlsAcceptor::from(config).accept(socket).into_fallible();
    let ended = tokio::select! {
        biased;
        // In a box, because it has the room of a whole session.
        ended = Box::pin(accepting) => ended,
        () = time::sleep_until(deadline) => return (Beginning::Over(None), Outcome::TimedOut),
        () = slot.crowded_out() => return (Beginning::Over(None), Outcome::Crowded),
    };
    drop(slot);
    match ended {
        Ok(stream) => secured(stream, trust).await,
        Err((error, mut socket)) => {
            let outcome = Outcome::of_error(&error);
            tracing::debug!(%error, outcome = outcome.name(), "a handshake failed");
            // rustls has sent the alert.
            linger(&mut socket).await;
            (Beginning::Over(outcome::fault_of_certificate(&error)), outcome)
        }
    }
}

async fn until_first_byte(
    socket: &Socket,
    deadline: Instant,
    closing: impl Future<Output = ()>,
) -> Result<(), Outcome> {
    let more = poll_fn(|context| socket.poll_more(context));
    let is_closing = async {
        closing.await;
        time::sleep(FIRST_BYTE).await;
    };
    tokio::select! {
        biased;
        has_more = more => if has_more { Ok(()) } else { Err(Outcome::Abandoned) },
        () = time::sleep_until(deadline) => Err(Outcome::TimedOut),
        () = is_closing => Err(Outcome::Abandoned),
    }
}

async fn secured(mut stream: TlsStream<Socket>, trust: ClientTrust) -> (Beginning, Outcome) {
    let connection = stream.get_ref().1;
    let outcome = match connection.handshake_kind() {
        Some(HandshakeKind::Resumed) => Outcome::Resumed,
        _ => Outcome::Full,
    };
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        _ => "1.3",
    };
    match endpoint::peer_certificate(connection) {
        Ok(certificate) => {
            let session = Session { certificate: certificate.map(Box::new), version, trust };
            (Beginning::Ready(stream.into(), Some(session)), outcome)
        }
        Err(reason) => {
            let _ = time::timeout(LINGER, stream.shutdown()).await;
            (Beginning::Over(Some(reason)), Outcome::ClientCertificate)
        }
    }
}
