//! TLS errors as text for people, with a remedy where an option can help.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use crate::{named_certificate::is_marked_as_authority, one_line::one_line};

/// The TLS error inside an I/O error
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        cause =
            inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _).or(inner.source());
    }
    None
}

/// The meaning of a TLS error, and the option that helps, where one does. The text is the same at each attempt.
pub fn tls_error_text(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    let text = match error {
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet"
        }
        // rustls' own text counts the seconds since, so it would differ at each attempt.
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired"
        }
        error if is_marked_as_authority(error) => {
            "the certificate is an authority's own (CA:TRUE): name this very certificate with ca=PATH"
        }
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is signed by an unknown authority; name it with ca=PATH"
        }
        Tls::InvalidCertificate(reason) => {
            return format!("the certificate is refused: {}", one_line(&reason.to_string()));
        }
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate: give cert=PATH and key=PATH"
        }
        Tls::AlertReceived(
            AlertDescription::BadCertificate | AlertDescription::UnknownCA | AlertDescription::CertificateUnknown,
        ) => "the server refuses our client certificate",
        Tls::InvalidMessage(_) => "the answer is not TLS",
        error => return format!("TLS fails: {}", one_line(&error.to_string())),
    };
    text.to_owned()
}
