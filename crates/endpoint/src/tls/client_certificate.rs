//! A client certificate that is missing, or that the server refuses: servers say both in many ways.
//!
//! OpenSSL sends `certificate_required`, Go `bad_certificate`, a server of TLS 1.2 `handshake_failure`, and gRPC's servers for
//! C++ and Python close the connection. Whether the server has asked for a certificate tells what they mean. In TLS 1.3 the
//! answer comes only after the handshake, with the first reading (RFC 8446, section 4.4.2.4).

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use rustls::{AlertDescription, ClientConfig, SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{client_certificate_fault::ClientCertificateFault, failure::Failure, stream::Stream, tls_error::tls_error};

/// Notes whether the server has asked for a certificate
#[derive(Debug)]
pub(super) struct Noted {
    inner: Arc<dyn ResolvesClientCert>,
    request: Request,
}

/// What is known of a server's request for a certificate
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    came: Arc<AtomicBool>,
    is_given: bool,
    last_fault: Arc<Mutex<Option<ClientCertificateFault>>>,
}

impl Noted {
    pub(super) fn new(inner: Arc<dyn ResolvesClientCert>) -> (Arc<Self>, Request) {
        let request = Request { is_given: inner.has_certs(), ..Request::default() };
        (Arc::new(Self { inner, request: request.clone() }), request)
    }
}

impl ResolvesClientCert for Noted {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.request.came.store(true, Relaxed);
        self.inner.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

impl Request {
    pub(super) async fn connect<S: Stream>(
        &self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        stream: S,
    ) -> Result<Explained<S>, Failure> {
        // Of this connection, and not of one before it
        self.came.store(false, Relaxed);
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Explained { stream, request: self.clone(), was_heard: false }),
            Err(error) => Err(match self.fault(&error) {
                Some(fault) => Failure::ClientCertificate(fault),
                None if is_end(&error) => Failure::HandshakeCut,
                None => error.into(),
            }),
        }
    }

    /// The error, or the fault of the certificate that it means.
    fn explain(&self, error: io::Error) -> io::Error {
        let fault = self.fault(&error);
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        match fault {
            Some(fault) => io::Error::new(error.kind(), fault),
            None => error,
        }
    }

    /// The fault of the last error, once: h2 keeps no more of an error than its kind.
    pub(super) fn take_fault(&self) -> Option<ClientCertificateFault> {
        self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fault(&self, error: &io::Error) -> Option<ClientCertificateFault> {
        use AlertDescription as Alert;
        if !self.came.load(Relaxed) {
            return None;
        }
        match tls_error(error) {
            Some(rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateUnknown
                | Alert::UnsupportedCertificate
                | Alert::AccessDenied,
            )) if self.is_given => Some(ClientCertificateFault::Refused),
            Some(rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateUnknown
                | Alert::HandshakeFailure,
            )) if !self.is_given => Some(ClientCertificateFault::Missing),
            None if !self.is_given && is_end(error) => Some(ClientCertificateFault::MaybeMissing),
            _ => None,
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe)
}

/// TLS whose errors tell of the client certificate
pub(super) struct Explained<S> {
    stream: TlsStream<S>,
    request: Request,
    /// The server has sent data, so it took the client as it is
    was_heard: bool,
}

impl<S> Explained<S> {
    /// The certificates that the server has shown
    pub(super) fn certificates(&self) -> &[CertificateDer<'_>] {
        self.stream.get_ref().1.peer_certificates().unwrap_or_default()
    }
}

impl<S: Stream> AsyncRead for Explained<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if self.was_heard {
            return Poll::Ready(read);
        }
        self.was_heard = buffer.filled().len() > before;
        Poll::Ready(match read {
            Ok(()) if self.was_heard || buffer.remaining() == 0 => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(self.request.explain(error)),
            // With the closing alert or without it, no data was cut off.
            _ => {
                let end = self.request.explain(io::ErrorKind::UnexpectedEof.into());
                if end.get_ref().is_some() { Err(end) } else { Ok(()) }
            }
        })
    }
}

impl<S: Stream> AsyncWrite for Explained<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(written.map_err(|error| self.request.explain(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| self.request.explain(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(request: (bool, bool), error: &io::Error) -> Option<ClientCertificateFault> {
        let (came, is_given) = request;
        Request { came: Arc::new(came.into()), is_given, ..Request::default() }.fault(error)
    }

    fn alert(alert: AlertDescription) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert))
    }

    #[test]
    fn one_fault_has_many_signs() {
        use AlertDescription as Alert;
        let (missing, given, not_asked) = ((true, false), (true, true), (false, false));
        for sign in [Alert::CertificateRequired, Alert::BadCertificate, Alert::UnknownCA, Alert::HandshakeFailure] {
            assert_eq!(fault(missing, &alert(sign)), Some(ClientCertificateFault::Missing), "{sign:?}");
            assert_eq!(fault(not_asked, &alert(sign)), None, "{sign:?}");
        }
        for sign in [Alert::BadCertificate, Alert::UnknownCA, Alert::CertificateUnknown, Alert::AccessDenied] {
            assert_eq!(fault(given, &alert(sign)), Some(ClientCertificateFault::Refused), "{sign:?}");
        }
        assert_eq!(fault(given, &alert(Alert::HandshakeFailure)), None);
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset] {
            assert_eq!(fault(missing, &kind.into()), Some(ClientCertificateFault::MaybeMissing));
            assert_eq!(fault(given, &kind.into()), None);
            assert_eq!(fault(not_asked, &kind.into()), None);
        }
        assert_eq!(fault(missing, &io::ErrorKind::TimedOut.into()), None);
    }
}
