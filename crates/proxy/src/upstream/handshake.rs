//! The handshake with an upstream that speaks TLS, and what the log says where no connection stands.

use std::{cell::Cell, io::ErrorKind, time::Instant};

use endpoint::{Failure, TlsClient};
use rustls::{AlertDescription, CertificateError, Error};
use tokio::time;

use crate::{
    recent_lines::RecentLines,
    refusal::Refusal,
    route::upstream_url::{UpstreamUrl, Versions},
    transport::{Transport, socket::Socket},
    upstream::dial::CONNECT_TIMEOUT,
};

/// Outages for the same reason that the log has within 30 s. Where some connections fail and others succeed, each of them
/// would have its lines.
const OUTAGES: usize = 3;

/// The handshakes of one worker with one upstream
#[derive(Default)]
pub(crate) struct Handshakes {
    /// The reasons that the log has
    recent: RecentLines,
    /// Whether the last line of the log is that there is no connection
    is_failure_logged: Cell<bool>,
    /// Whether the last line is that connections succeed again, so that a new failure is a change
    is_return_logged: Cell<bool>,
}

impl Handshakes {
    /// The connection as HTTP uses it, with one of these versions agreed on.
    pub(crate) async fn shake(
        &self,
        upstream: &UpstreamUrl,
        socket: Socket,
        versions: Versions,
    ) -> Result<Transport, Refusal> {
        let Ok(shaken) = time::timeout(CONNECT_TIMEOUT, upstream.secure(socket, versions)).await else {
            self.log(upstream, "the upstream does not answer in time");
            return Err(Refusal::UpstreamUnreachable);
        };
        let (refusal, reason) = match shaken {
            Ok(transport) if upstream.tls.is_some() && versions == Versions::Http2 && !transport.speaks_http2() => {
                self.not_http2(upstream);
                return Err(Refusal::UpstreamBroken);
            }
            Ok(transport) => return Ok(transport),
            Err(failure) => (refusal(&failure), reason(&failure, upstream)),
        };
        self.log(upstream, &reason);
        Err(refusal)
    }

    /// The upstream speaks no HTTP/2, although it must.
    pub(crate) fn not_http2(&self, upstream: &UpstreamUrl) {
        self.log(upstream, "the upstream does not speak HTTP/2: write http=auto");
    }

    /// The upstream has answered over a new connection. TLS 1.3 may refuse one after its handshake.
    /// A line follows only a logged failure, so that the log is short where some connections fail.
    pub(crate) fn settle(&self, upstream: &UpstreamUrl) {
        if self.is_failure_logged.take() {
            self.is_return_logged.set(true);
            tracing::info!(upstream = upstream.address.authority(), "connections to an upstream succeed again");
        }
    }

    /// Logs why there is no connection: the same reason once in 30 s, and a few times where the log says in between that
    /// connections succeed again.
    pub(crate) fn log(&self, upstream: &UpstreamUrl, reason: &str) {
        let times = if self.is_return_logged.get() { OUTAGES } else { 1 };
        if self.recent.is_due_within(times, reason, Instant::now()) {
            self.is_failure_logged.set(true);
            self.is_return_logged.set(false);
            let upstream = upstream.address.authority();
            tracing::warn!(upstream, reason, "no connection to an upstream");
        }
    }
}

/// The refusal of a request where the handshake fails
pub(crate) fn refusal(failure: &Failure) -> Refusal {
    match failure {
        Failure::Tls(Error::AlertReceived(_)) | Failure::ClientCertificate(_) => Refusal::UpstreamAlert,
        Failure::Tls(Error::InvalidCertificate(_) | Error::NoCertificatesPresented | Error::UnsupportedNameType) => {
            Refusal::UpstreamCertificate
        }
        Failure::File { .. } => Refusal::NoTlsFiles,
        Failure::Reset | Failure::Io { kind: ErrorKind::UnexpectedEof, .. } => Refusal::UpstreamClosed,
        Failure::Silent => Refusal::UpstreamUnreachable,
        _ => Refusal::UpstreamTls,
    }
}

/// The words of the log, with the remedy
fn reason(failure: &Failure, upstream: &UpstreamUrl) -> String {
    let Failure::Tls(error) = failure else { return failure.to_string() };
    let ca = upstream.tls.as_ref().and_then(TlsClient::ca);
    match (error, ca, upstream.versions) {
        (Error::InvalidMessage(_), ..) => "the upstream does not speak TLS: write http://".to_owned(),
        (Error::InvalidCertificate(CertificateError::UnknownIssuer), Some(ca), _) => {
            format!(
                "no authority in {} has signed the upstream's certificate: name the right one with ca=PATH",
                ca.display()
            )
        }
        (Error::AlertReceived(AlertDescription::NoApplicationProtocol), _, Versions::Any) => {
            "the upstream speaks neither HTTP/2 nor HTTP/1.1 by ALPN".to_owned()
        }
        (Error::AlertReceived(AlertDescription::NoApplicationProtocol), ..) => {
            "the upstream does not speak the version that the option http asks for: write http=auto".to_owned()
        }
        _ => failure.to_string(),
    }
}
