//! TLS errors as text for people, with a remedy where an option can help.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError, pki_types::ServerName};

use crate::{certificate::date_text, named_certificate::is_marked_as_authority, one_line::one_line};

/// Names of a certificate that a message repeats
const NAMES_LIMIT: usize = 5;

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
            "the server's certificate is not valid yet: is the clock right?"
        }
        // rustls' own text counts the seconds since, so it would differ at each attempt.
        Tls::InvalidCertificate(CertificateError::Expired) => "the server's certificate has expired",
        Tls::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            let end = date_text(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX));
            return format!("the server's certificate has expired: it ended at {end}");
        }
        error if is_marked_as_authority(error) => {
            "the certificate is an authority's own (CA:TRUE): name this very certificate with ca=PATH"
        }
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is signed by an unknown authority; name it with ca=PATH"
        }
        Tls::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            return other_name(expected, presented);
        }
        // rustls' own text has numbers of algorithms. Its crypto library, ring, verifies all that are usual but P-521.
        Tls::InvalidCertificate(
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => {
            "the certificate is signed by a kind of key that is not supported, such as P-521: \
             use RSA, P-256, P-384 or Ed25519"
        }
        Tls::InvalidCertificate(reason) => {
            return format!("the certificate is refused: {}", one_line(&reason.to_string()));
        }
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate: give cert=PATH and key=PATH"
        }
        Tls::AlertReceived(
            AlertDescription::BadCertificate | AlertDescription::UnknownCA | AlertDescription::CertificateUnknown,
        ) => "the server wants a client certificate, or refuses ours: give cert=PATH and key=PATH that it trusts",
        Tls::AlertReceived(AlertDescription::CertificateExpired) => {
            "the server says that our client certificate has expired: renew the files of cert=PATH and key=PATH"
        }
        Tls::AlertReceived(AlertDescription::ProtocolVersion) => "the server speaks neither TLS 1.2 nor TLS 1.3",
        Tls::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the server takes no TLS version, cipher and kind of signature of ours (its key may be P-521, which is not \
             supported), or wants a client certificate (cert=PATH and key=PATH)"
        }
        Tls::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server does not serve this name: ask for one of its names with sni=NAME"
        }
        Tls::InvalidMessage(_) => "the answer is not TLS",
        error => return format!("TLS fails: {}", one_line(&error.to_string())),
    };
    text.to_owned()
}

/// The certificate has other names, which rustls gives as `DnsName("a.example")` and `IpAddress(10.0.0.1)`.
fn other_name(expected: &ServerName, presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        one_line(inner.trim_matches('"'))
    };
    let host = expected.to_str();
    if presented.is_empty() {
        return format!(
            "the server's certificate is for no name, and so not for {host}: make one with its name (subjectAltName), or \
             leave the name unchecked where that can be set (tls=verify-ca)"
        );
    }
    let names: Vec<_> = presented.iter().take(NAMES_LIMIT).map(bare).collect();
    let more = if presented.len() > NAMES_LIMIT { " and others" } else { "" };
    let names = names.join(", ") + more;
    format!("the server's certificate is for {names}, and not for {host}: ask for one of its names with sni=NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_key_that_is_not_supported_is_named_without_numbers() {
        let error = CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![6, 8, 42],
            public_key_algorithm_id: vec![6, 7, 42],
        };
        let text = tls_error_text(&rustls::Error::InvalidCertificate(error));
        assert!(text.contains("P-521") && !text.contains('['), "{text}");
    }
}
