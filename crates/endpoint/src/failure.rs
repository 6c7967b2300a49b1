//! What has gone wrong with TLS, in words for people.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use crate::one_line::one_line;

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

/// What it means and, where the options can help, which one. The same cause has the same words at each attempt.
pub fn tls_error_text(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    let words = match error {
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet"
        }
        // rustls' own words count the seconds since, and would be news at each attempt.
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired"
        }
        Tls::InvalidCertificate(CertificateError::Other(reason))
            if reason.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the certificate is an authority's own (CA:TRUE): let it sign one for the server, or give insecure"
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
    words.to_owned()
}
