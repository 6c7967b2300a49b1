//! The handshake with an upstream that speaks TLS, and what the log says where no connection stands.

use std::{cell::RefCell, time::Instant};

use endpoint::{Failure, TlsClient};
use lifecycle::LogThrottle;
use rustls::{AlertDescription, CertificateError, Error};
use tokio::time;

use crate::{
    refusal::Refusal,
    route::upstream_url::{UpstreamUrl, Versions},
    transport::{Transport, socket::Socket},
    upstream::dial::CONNECT_TIMEOUT,
};

/// The handshakes of one worker with one upstream
#[derive(Default)]
pub(crate) struct Handshakes {
    throttle: RefCell<LogThrottle>,
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
        self.log(upstream, "the upstream does not speak HTTP/2: write the option http=1");
    }

    /// The upstream has answered a request.
    pub(crate) fn settle(&self, upstream: &UpstreamUrl) {
        if self.throttle.borrow_mut().settle() {
            tracing::info!(upstream = upstream.address.authority(), "connections to an upstream succeed again");
        }
    }

    /// Logs why there is no connection: the same reason once, and then every 30 s.
    pub(crate) fn log(&self, upstream: &UpstreamUrl, reason: &str) {
        if self.throttle.borrow_mut().is_due(reason, Instant::now()) {
            let upstream = upstream.address.authority();
            tracing::warn!(upstream, reason, "no connection to an upstream");
        }
    }
}

/// The refusal of a request where the handshake fails
pub(crate) fn refusal(failure: &Failure) -> Refusal {
    match failure {
        Failure::Tls(Error::AlertReceived(_)) => Refusal::UpstreamAlert,
        Failure::Tls(Error::InvalidCertificate(_) | Error::NoCertificatesPresented | Error::UnsupportedNameType) => {
            Refusal::UpstreamCertificate
        }
        Failure::File { .. } => Refusal::NoTlsFiles,
        Failure::Reset => Refusal::UpstreamClosed,
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
