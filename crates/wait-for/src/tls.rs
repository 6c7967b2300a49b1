//! What a failure of TLS means for a wait.

use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::check::{Cause, NotReady};

/// What a TLS error inside an I/O error means.
pub(crate) fn failure(error: &io::Error) -> Option<NotReady> {
    endpoint::tls_error(error).map(meaning)
}

fn meaning(error: &rustls::Error) -> NotReady {
    use rustls::Error as Tls;
    let words = endpoint::tls_error_text(error);
    match error {
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            NotReady::new(Cause::Odd, words)
        }
        Tls::InvalidCertificate(_) => NotReady::never(words),
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown,
        ) => NotReady::denied(words),
        _ => NotReady::new(Cause::Odd, words),
    }
}
