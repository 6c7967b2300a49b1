//! The verdict on one attempt: proof that a target is ready, or why it is not.

use std::{io, time::Duration};

use endpoint::{ClientCertificateFault, Failure};
use hyper::StatusCode;
use lifecycle::Exit;
use rustls::{AlertDescription, CertificateError};

/// The proof that a target is ready, or why it is not
pub(crate) type Verdict = Result<String, NotReady>;

/// The words about a connection that the server closes before its first word
const UNANSWERED: &str = "closed without an answer";
/// The words about an answer that breaks off
pub(crate) const CUT: &str = "closed before its answer was whole";

/// Why a target is not ready
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    pub(crate) cause: Cause,
    /// For people: short, without secrets, the same for the same cause
    pub(crate) reason: String,
    /// The server is overloaded, and wants no other request for this long; zero where it names no
    /// time
    pub(crate) rest: Option<Duration>,
    pub(crate) tls_doubt: Option<TlsDoubt>,
}

/// A sign that one side speaks TLS and the other does not
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsDoubt {
    /// A connection without TLS ended before the server's first word.
    Ended,
    /// The server's words are no TLS, or it closed the connection in the middle of the handshake.
    NotTls,
}

/// The kind of a reason: it decides the pace, and what counts as gone
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing is there: refused, closed, reset, no such file
    Absent,
    /// The name does not exist, says a DNS server that works
    UnknownName,
    /// A definite answer, but not the wanted one
    Contrary,
    /// The same from a server that tells each change: the next attempt lasts until there is one
    Watched,
    /// It is there, and says itself that it is not ready
    Busy,
    /// No DNS server answers, or none that works
    NoResolver,
    /// No answer in time, or no route
    Silent,
    /// An answer that is no proof of anything
    Odd,
    /// Waiting longer will not help
    Never(Exit),
}

impl Cause {
    /// Its name for programs
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::UnknownName => "unknown-name",
            Self::Contrary | Self::Watched => "contrary",
            Self::Busy => "busy",
            Self::NoResolver => "no-resolver",
            Self::Silent => "silent",
            Self::Odd => "odd",
            Self::Never(Exit::Denied) => "denied",
            Self::Never(Exit::Usage) => "usage",
            Self::Never(_) => "never",
        }
    }
}

impl NotReady {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into(), rest: None, tls_doubt: None }
    }

    /// Only a DNS server that works can say that a name does not exist.
    pub(crate) fn no_dns_answer(name: &str) -> Self {
        Failure::NoDnsAnswer(name.to_owned()).into()
    }

    /// A dependency that said no for good
    pub(crate) fn never(reason: impl Into<String>) -> Self {
        Self::new(Cause::Never(Exit::Unavailable), reason)
    }

    /// A connection that the server closed before its first word
    pub(crate) fn unanswered() -> Self {
        Self { tls_doubt: Some(TlsDoubt::Ended), ..Self::new(Cause::Absent, UNANSWERED) }
    }

    /// Not yet as wanted, and the server tells each change
    pub(crate) fn watched(reason: impl Into<String>) -> Self {
        Self::new(Cause::Watched, reason)
    }

    /// A login or a permission that was refused
    pub(crate) fn denied(reason: impl Into<String>) -> Self {
        Self::new(Cause::Never(Exit::Denied), reason)
    }

    /// A server that has as many clients as it takes
    pub(crate) fn full(reason: impl Into<String>) -> Self {
        Self::new(Cause::Busy, reason).overloaded(None)
    }

    /// The same from a server that is overloaded, which is asked slowly. A server may name the time
    /// of its rest.
    pub(crate) fn overloaded(self, rest: Option<Duration>) -> Self {
        Self { rest: Some(rest.unwrap_or_default()), ..self }
    }

    /// The same of a server that has answered before, or has agreed to TLS: a port with TLS, or
    /// without it, is not to blame
    pub(crate) fn without_tls_doubt(self) -> Self {
        Self { tls_doubt: None, ..self }
    }

    /// The exit code that ends the wait at once, if this is a "never".
    pub(crate) fn never_exit(&self) -> Option<Exit> {
        match self.cause {
            Cause::Never(exit) => Some(exit),
            _ => None,
        }
    }
}

impl From<io::Error> for NotReady {
    fn from(error: io::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for NotReady {
    fn from(failure: Failure) -> Self {
        let reason = failure.to_string();
        let tls_doubt = match &failure {
            Failure::Reset => Some(TlsDoubt::Ended),
            Failure::HandshakeCut | Failure::Tls(rustls::Error::InvalidMessage(_)) => Some(TlsDoubt::NotTls),
            _ => None,
        };
        let (cause, reason) = match failure {
            // Timing decides whether a server that closes a connection ends or resets it.
            Failure::Reset => (Cause::Absent, UNANSWERED.to_owned()),
            Failure::UnknownName(_) => (Cause::UnknownName, reason),
            Failure::NoDnsAnswer(_) | Failure::NotAskedYet(_) | Failure::Lookup { .. } => (Cause::NoResolver, reason),
            Failure::Refused
            | Failure::HandshakeCut
            | Failure::Io { kind: io::ErrorKind::ConnectionAborted, .. }
            // Another attempt may find a server that has only restarted.
            => (Cause::Absent, reason),
            // The server has answered the handshake.
            Failure::ClientCertificate(ClientCertificateFault::MaybeMissing) => (Cause::Odd, reason),
            Failure::Silent | Failure::NoRoute | Failure::NoNetwork | Failure::File { may_pass: true, .. } => {
                (Cause::Silent, reason)
            }
            // A proxy answers so to CONNECT for itself, since the server behind it is not asked.
            Failure::ProxyRefused(StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                let remedy = "are user and password in the proxy's URL, and right?";
                (Cause::Never(Exit::Denied), format!("login refused: {reason}; {remedy}"))
            }
            Failure::ClientCertificate(_) => (Cause::Never(Exit::Denied), reason),
            Failure::NoLocalAddress | Failure::ProxyRefused(_) => (Cause::Odd, reason),
            Failure::Tls(error) => (cause_of_tls(&error), reason),
            Failure::File { may_pass: false, .. } => (Cause::Never(Exit::Usage), reason),
            Failure::Io { kind, .. } => match io_reason(kind) {
                Some((cause, words)) => (cause, words.to_owned()),
                None => (Cause::Odd, reason),
            },
        };
        Self { tls_doubt, ..Self::new(cause, reason) }
    }
}

/// The meaning of an I/O error that is none of a connection
fn io_reason(kind: io::ErrorKind) -> Option<(Cause, &'static str)> {
    use io::ErrorKind as Kind;
    Some(match kind {
        Kind::UnexpectedEof => (Cause::Absent, CUT),
        Kind::NotFound | Kind::NotADirectory => (Cause::Absent, "no such file"),
        // A TCP port drops such a connection in silence, a UNIX socket does not.
        Kind::WouldBlock => (Cause::Busy, "its backlog of connections is full"),
        Kind::PermissionDenied => (Cause::Never(Exit::Denied), "permission denied"),
        _ => return None,
    })
}

/// The meaning of a TLS error for a wait.
fn cause_of_tls(error: &rustls::Error) -> Cause {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            Cause::Odd
        }
        // Settings of the server decide the alerts: its names, its versions and its ciphers.
        Tls::InvalidCertificate(_)
        | Tls::AlertReceived(
            AlertDescription::UnrecognisedName | AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        ) => Cause::Never(Exit::Unavailable),
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown,
        ) => Cause::Never(Exit::Denied),
        _ => Cause::Odd,
    }
}
