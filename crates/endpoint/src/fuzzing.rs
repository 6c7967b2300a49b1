//! The door for fuzz targets, which are a crate of their own: certificates that others made.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use std::time::UNIX_EPOCH;

use crate::certificate::{Certificate, SubjectName};

/// Reads any bytes as a certificate. All of its text can stand in a log line and in a header.
pub fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::from_der(bytes) else { return };
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    for name in &certificate.names {
        assert!(is_plain(&name.to_string()), "{name:?}");
    }
    assert!(!certificate.display_name().chars().any(char::is_control), "{certificate:?}");
    assert_eq!(certificate.fingerprint.len(), 64, "{certificate:?}");
    if let Some(id) = certificate.spiffe_id() {
        let uris = certificate.names.iter().filter(|name| matches!(name, SubjectName::Uri(_)));
        assert!(uris.count() == 1 && is_plain(id) && id.starts_with("spiffe://"), "{certificate:?}");
    }
    let is_invalid = certificate.invalid_at(UNIX_EPOCH).is_some();
    assert_eq!(is_invalid, !(certificate.not_before..=certificate.not_after).contains(&0), "{certificate:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls_pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    const MADE: &str = include_str!("certificate/made/p256.pem");

    #[test]
    fn the_entry_takes_certificates_and_what_none_is() {
        let names = ["localhost".to_owned(), "10.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        certificate(made.cert.der());
        certificate(&made.cert.der()[..made.cert.der().len() - 1]);
        certificate(b"");
    }

    proptest! {
        #[test]
        fn broken_certificates_are_read_or_refused(at in 0_usize..600, value: u8, length in 0_usize..600) {
            let der = CertificateDer::from_pem_slice(MADE.as_bytes()).unwrap().to_vec();
            let mut changed = der.clone();
            changed[at % der.len()] = value;
            certificate(&changed);
            // A part of a certificate is none.
            prop_assert!(Certificate::from_der(&der[..length.min(der.len() - 1)]).is_err());
        }
    }
}
