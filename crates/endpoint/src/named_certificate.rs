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
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Trusts what webpki trusts, and a server certificate that is one of `named`
#[derive(Debug)]
pub(crate) struct TrustNamed {
    webpki: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl TrustNamed {
    /// `named` are the certificates in `roots`.
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        named: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        Ok(Self { webpki: webpki.map_err(|error| error.to_string())?, named })
    }
}

impl ServerCertVerifier for TrustNamed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.webpki.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // webpki looks at the dates and at the purpose before it looks at this mark or for an issuer, so they are right.
            Err(error)
                if (is_marked_as_authority(&error) || has_no_issuer(&error)) && self.named.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
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
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let trust = TrustNamed::new(roots.into(), vec![named.clone()], provider).unwrap();
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
