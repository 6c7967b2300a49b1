//! Why a server cannot be reached. Callers branch on the variants: one retries, another gives up.

use std::{fmt, io};

use http::StatusCode;

use crate::{
    client_certificate_fault::ClientCertificateFault,
    one_line::one_line,
    tls_error::{tls_error, tls_error_text},
};

/// Why a server cannot be reached. Its text is short, holds no secret, and is the same for the same cause.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A DNS server that works says that the name does not exist
    UnknownName(String),
    /// No DNS server answers for the name, or the servers fail
    NoDnsAnswer(String),
    /// The lookup of the name has not begun, because earlier lookups wait for an answer
    NotAskedYet(String),
    /// The resolver fails in another way
    Lookup {
        /// The name
        name: String,
        /// The resolver's own words
        reason: String,
    },
    /// No process listens there
    Refused,
    /// The other side has broken the connection
    Reset,
    /// No answer in time
    Silent,
    /// No route leads to the host
    NoRoute,
    /// No route leads to the network, for example to IPv6 on a host without IPv6
    NoNetwork,
    /// This host has no address or port to dial from
    NoLocalAddress,
    /// The handshake failed
    Tls(rustls::Error),
    /// The other side has ended the connection amid the handshake
    HandshakeCut,
    /// The server wants a client certificate, or refuses the one that is given
    ClientCertificate(ClientCertificateFault),
    /// A file of the options cannot be used, or its volume does not answer
    File {
        /// The text, with the name of the option and a remedy
        reason: String,
        /// The volume does not answer, or the file was usable before and may be half written: a later try may succeed
        may_pass: bool,
    },
    /// The proxy does not open a tunnel
    ProxyRefused(StatusCode),
    /// Any other error of the system
    Io {
        /// Its kind, for callers that know more about it
        kind: io::ErrorKind,
        /// The system's own words
        text: String,
    },
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Self::ClientCertificate(*fault);
        }
        if let Some(tls) = tls_error(error) {
            return Self::Tls(tls.clone());
        }
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Self::Reset,
            Kind::TimedOut => Self::Silent,
            Kind::HostUnreachable => Self::NoRoute,
            Kind::NetworkUnreachable => Self::NoNetwork,
            Kind::AddrNotAvailable => Self::NoLocalAddress,
            kind => Self::Io { kind, text: one_line(&lifecycle::io_text(error)) },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::UnknownName(name) => write!(f, "unknown name {name}"),
            Self::NoDnsAnswer(name) => write!(f, "DNS gives no answer for {name}: no server is there, or it fails"),
            Self::NotAskedYet(name) => {
                write!(f, "DNS is not asked for {name} yet: earlier lookups of other names wait for an answer")
            }
            Self::Lookup { name, reason } => write!(f, "cannot look up {name}: {reason}"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::Silent => f.write_str("timed out"),
            Self::NoRoute => f.write_str("no route to the host"),
            Self::NoNetwork => f.write_str("network unreachable"),
            Self::NoLocalAddress => f.write_str("this host has no address or port to dial from"),
            Self::Tls(error) => f.write_str(&tls_error_text(error)),
            Self::ClientCertificate(fault) => fault.fmt(f),
            Self::HandshakeCut => f.write_str("closed amid the TLS handshake"),
            Self::ProxyRefused(status) => write!(f, "HTTP {status}"),
            Self::File { reason: text, .. } | Self::Io { text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
