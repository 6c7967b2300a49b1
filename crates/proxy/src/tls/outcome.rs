//! How handshakes end, as the metric names it.

use std::io;

use rustls::{CertificateError, Error};

/// The end of a handshake
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With certificates
    Full,
    /// By a ticket
    Resumed,
    /// It took longer than `--handshake-timeout`
    TimedOut,
    /// The client went, perhaps without a byte, as probes of ports do
    Abandoned,
    /// The client speaks HTTP without TLS
    PlainHttp,
    /// The client has no certificate where it needs one, or one that is wrong or has expired
    ClientCertificate,
    /// The client refuses the certificate that it got
    RefusedByClient,
    /// The two sides have no version, cipher, group or application protocol in common
    Incompatible,
    /// The client's bytes are not TLS, or break its rules
    Broken,
    /// The certificate is not there yet
    NoCertificate,
    /// Too many others were under way until the time was over, or one of them needed the turn of this one
    Crowded,
    /// The container's memory limit is near
    Memory,
}

impl Outcome {
    /// All of them, in the order of their declaration
    pub(crate) const ALL: [Self; 12] = [
        Self::Full,
        Self::Resumed,
        Self::TimedOut,
        Self::Abandoned,
        Self::PlainHttp,
        Self::ClientCertificate,
        Self::RefusedByClient,
        Self::Incompatible,
        Self::Broken,
        Self::NoCertificate,
        Self::Crowded,
        Self::Memory,
    ];

    /// Its name
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::TimedOut => "timed-out",
            Self::Abandoned => "abandoned",
            Self::PlainHttp => "plain-http",
            Self::ClientCertificate => "client-certificate",
            Self::RefusedByClient => "refused-by-client",
            Self::Incompatible => "incompatible",
            Self::Broken => "broken",
            Self::NoCertificate => "no-certificate",
            Self::Crowded => "crowded",
            Self::Memory => "memory",
        }
    }

    /// The versions of TLS that the metric tells apart: a handshake that failed has agreed on none.
    pub(crate) fn tls_versions(self) -> &'static [&'static str] {
        match self {
            Self::Full | Self::Resumed => &["1.2", "1.3"],
            _ => &[""],
        }
    }

    /// Why a handshake failed
    pub(super) fn of_error(error: &io::Error) -> Self {
        match endpoint::tls_error(error) {
            None => Self::Abandoned,
            Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => Self::ClientCertificate,
            Some(Error::AlertReceived(_)) => Self::RefusedByClient,
            Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Self::Incompatible,
            // The first certificate of the list is missing, and the client's name has no other.
            Some(Error::General(_)) => Self::NoCertificate,
            Some(_) => Self::Broken,
        }
    }
}

/// Why the certificate of a client is refused, if that is the error
pub(super) fn fault_of_certificate(error: &io::Error) -> Option<String> {
    use CertificateError as Fault;
    let text = match endpoint::tls_error(error)? {
        Error::NoCertificatesPresented => "the client shows no certificate",
        Error::InvalidCertificate(fault) => match fault {
            Fault::Expired | Fault::ExpiredContext { .. } => "the client's certificate has expired",
            Fault::NotValidYet | Fault::NotValidYetContext { .. } => "the client's certificate is not valid yet",
            Fault::UnknownIssuer => "no authority of client-ca has signed the client's certificate",
            Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => {
                "the client's certificate is not for clients: it lacks the usage clientAuth"
            }
            fault => return Some(format!("the client's certificate is refused: {fault}")),
        },
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_order() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place, "{outcome:?}");
        }
    }
}
