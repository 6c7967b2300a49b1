//! What an attempt finds: ready, not yet, or never.

use std::{fmt, io, rc::Rc};

use futures_util::future::LocalBoxFuture;
use hyper_util::client::proxy::matcher::Matcher;
use lifecycle::Exit;

use crate::names::Names;

/// One way of asking one target whether it is ready
pub(crate) trait Check: fmt::Debug + Send + Sync {
    /// Asks once. The caller sets the deadline by dropping the future.
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict>;
}

/// What all checks share
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) names: Names,
    /// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, if HTTP goes by them
    pub(crate) proxies: Option<Rc<Matcher>>,
}

impl Network {
    /// The same for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self { names: self.names.for_another_target(), proxies: self.proxies.clone() }
    }
}

/// The proof that a target is ready, or why it is not
pub(crate) type Verdict = Result<String, NotReady>;

/// Why a target is not ready
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    pub(crate) cause: Cause,
    /// For people: short, without secrets, the same for the same cause
    pub(crate) reason: String,
}

/// What kind of reason it is: decides the pace, and what counts as gone
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing is there: refused, closed, reset, no such file
    Absent,
    /// The name does not exist, says a DNS server that works
    UnknownName,
    /// A definite answer, but not the wanted one
    Contrary,
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

impl NotReady {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into() }
    }

    /// Only a DNS server that works can say that a name does not exist.
    pub(crate) fn no_dns_answer(name: &str) -> Self {
        Self::new(Cause::NoResolver, format!("DNS gives no answer for {name}: no server is there, or it fails"))
    }

    /// A dependency that said no for good
    pub(crate) fn never(reason: impl Into<String>) -> Self {
        Self::new(Cause::Never(Exit::Unavailable), reason)
    }

    /// A login or a permission that was refused
    pub(crate) fn denied(reason: impl Into<String>) -> Self {
        Self::new(Cause::Never(Exit::Denied), reason)
    }
}

impl From<io::Error> for NotReady {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        if let Some(failure) = crate::tls::failure(&error) {
            return failure;
        }
        let (cause, reason) = match error.kind() {
            Kind::ConnectionRefused => (Cause::Absent, "connection refused"),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => (Cause::Absent, "connection reset"),
            Kind::UnexpectedEof => (Cause::Absent, "closed before its answer was whole"),
            Kind::NotFound | Kind::NotADirectory => (Cause::Absent, "no such file"),
            // Of a TCP port such a connection is dropped in silence, of a UNIX socket not.
            Kind::WouldBlock => (Cause::Busy, "its backlog of connections is full"),
            Kind::TimedOut => (Cause::Silent, "timed out"),
            Kind::HostUnreachable => (Cause::Silent, "no route to the host"),
            Kind::NetworkUnreachable => (Cause::Silent, "network unreachable"),
            Kind::AddrNotAvailable => (Cause::Odd, "this host has no address or port to dial from"),
            Kind::PermissionDenied => (Cause::Never(Exit::Denied), "permission denied"),
            _ => return Self::new(Cause::Odd, error.to_string()),
        };
        Self::new(cause, reason)
    }
}
