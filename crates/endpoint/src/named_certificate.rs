//! A server certificate that `ca=` names itself: trusted as it is, also when it is marked as an authority's (CA:TRUE), or
//! signed by an authority that `ca=` does not name.
//!
//! `openssl req -x509` and many products make such certificates for servers. webpki refuses them, because an authority's
//! certificate is no server's. The user has named this very certificate, so the mark is no reason against it, as in curl, Go
//! and libpq. Its name, its dates and the server's possession of its key are checked as for every certificate.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Trusts what webpki trusts, and a server certificate that is one of `named`
#[derive(Debug)]
pub(crate) struct TrustNamed {
    pub(crate) roots: Arc<RootCertStore>,
    /// Those of `roots` that a user has named
    pub(crate) named: Vec<CertificateDer<'static>>,
    /// A trusted certificate is also one for another name
    pub(crate) any_name: bool,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TrustNamed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms) {
            // webpki looks at the dates and at the purpose before it looks at this mark or for an issuer, so they are right.
            Err(error)
                if (is_marked_as_authority(&error) || has_no_issuer(&error)) && self.named.contains(certificate) => {}
            verified => verified?,
        }
        if !self.any_name {
            verify_server_name(&parsed, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the server's certificate is refused because it is marked as an authority's.
pub(crate) fn is_marked_as_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = error else { return false };
    reason.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// Whether no authority has signed the server's certificate. The signature is wrong where an authority only has the same name.
fn has_no_issuer(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::crypto::ring;

    use super::*;

    /// A certificate for `localhost` that is marked as an authority's
    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// The verdict on a server that shows `shown`, where `ca=` names `named`
    fn verify(named: &CertificateDer<'static>, shown: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
        verify_with(named, shown, name, false)
    }

    fn verify_with(
        named: &CertificateDer<'static>,
        shown: &CertificateDer<'_>,
        name: &str,
        any_name: bool,
    ) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let trust = TrustNamed { roots: roots.into(), named: vec![named.clone()], any_name, provider };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        trust.verify_server_cert(shown, &[], &name, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn the_certificate_that_is_named_is_trusted_for_its_names() {
        let named = certificate(|_| ());
        assert_eq!(verify(&named, &named, "localhost"), Ok(()));
        let other_name = verify(&named, &named, "db").unwrap_err();
        assert!(
            matches!(&other_name, Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })),
            "{other_name:?}"
        );
    }

    #[test]
    fn a_trusted_certificate_may_have_any_name_where_that_is_wanted() {
        let (named, other) = (certificate(|_| ()), certificate(|_| ()));
        assert_eq!(verify_with(&named, &named, "db", true), Ok(()));
        assert!(is_marked_as_authority(&verify_with(&named, &other, "localhost", true).unwrap_err()));
        let expired = certificate(|params| params.not_after = date_time_ymd(2021, 1, 1));
        assert!(verify_with(&expired, &expired, "localhost", true).is_err());
    }

    #[test]
    fn dates_hold_for_it_too() {
        let expired = certificate(|params| {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        });
        let error = verify(&expired, &expired, "localhost").unwrap_err();
        let is_expired = matches!(&error, Error::InvalidCertificate(CertificateError::ExpiredContext { .. }));
        assert!(is_expired, "{error:?}");
        let early = certificate(|params| params.not_before = date_time_ymd(4000, 1, 1));
        let error = verify(&early, &early, "localhost").unwrap_err();
        let is_early = matches!(
            &error,
            Error::InvalidCertificate(CertificateError::NotValidYetContext { .. } | CertificateError::Other(_))
        );
        assert!(is_early && !is_marked_as_authority(&error), "{error:?}");
    }

    #[test]
    fn one_that_an_authority_signed_is_trusted_without_that_authority() {
        // The second authority has the name that rcgen gives to the server's certificate.
        for authority in ["authority", "rcgen self signed cert"] {
            let mut params = CertificateParams::new([]).unwrap();
            params.distinguished_name.push(DnType::CommonName, authority);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = Issuer::new(params, KeyPair::generate().unwrap());
            let signed = |year| {
                let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
                params.not_after = date_time_ymd(year, 1, 1);
                params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()
            };
            let (named, other, expired) = (signed(4000), signed(4000), signed(2021));
            assert_eq!(verify(&named, &named, "localhost"), Ok(()), "{authority}");
            let error = verify(&named, &named, "db").unwrap_err();
            assert!(matches!(error, Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })));
            assert!(has_no_issuer(&verify(&named, &other, "localhost").unwrap_err()), "{authority}");
            let error = verify(&expired, &expired, "localhost").unwrap_err();
            assert!(matches!(error, Error::InvalidCertificate(CertificateError::ExpiredContext { .. })), "{error:?}");
        }
    }

    #[test]
    fn another_certificate_of_the_same_name_is_refused() {
        let (named, other) = (certificate(|_| ()), certificate(|_| ()));
        assert!(is_marked_as_authority(&verify(&named, &other, "localhost").unwrap_err()));
    }
}
