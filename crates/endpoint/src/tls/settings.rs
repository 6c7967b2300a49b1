//! The settings of [`TlsClient`](super::TlsClient): what its options name, and what is made of their files.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, danger::ServerCertVerifier},
    crypto::ring,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::client_certificate::{Noted, Request};
use crate::{
    certificate::Certificate,
    named_certificate::TrustNamed,
    pem,
    trust::{TrustAnyone, system_roots},
};

/// The files of the options, and how far to trust
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) ca: Option<PathBuf>,
    /// Certificate and key
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) insecure: bool,
    /// A certificate of the authorities in `ca` is trusted also for another name
    pub(super) any_name: bool,
}

/// What is made of the files
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) config: Arc<ClientConfig>,
    /// The judge of servers in `config`
    verifier: Arc<dyn ServerCertVerifier>,
    /// Whether the server has asked for a certificate
    pub(super) request: Request,
}

/// Which server certificates are trusted
pub(super) enum Trust {
    Any,
    /// Those that the authorities have signed, and those that are named themselves
    Authorities {
        roots: Arc<RootCertStore>,
        named: Vec<CertificateDer<'static>>,
        any_name: bool,
    },
}

impl Settings {
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.ca.iter().chain(identity).cloned().collect()
    }

    /// A client certificate that is not valid is shown all the same: whether it will do is the server's decision.
    pub(super) fn read_and_warn(&self) -> Result<Made, String> {
        let made = self.read()?;
        if let Err(reason) = self.judge_identity(SystemTime::now()) {
            tracing::warn!(reason, "a client certificate is shown although it is not valid");
        }
        Ok(made)
    }

    /// Reads the certificate that is shown to the server, and says whether it is valid at this time.
    pub(super) fn judge_identity(&self, now: SystemTime) -> Result<(), String> {
        let Some((cert, _)) = &self.identity else { return Ok(()) };
        let about_it = |reason: &str| format!("option cert: {}: {reason}", cert.display());
        let chain = pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?;
        let Some(first) = chain.first() else { return Ok(()) };
        let certificate = Certificate::from_der(first).map_err(|reason| about_it(&reason))?;
        certificate.invalid_at(now).map_or(Ok(()), |reason| Err(about_it(reason)))
    }

    pub(super) fn read(&self) -> Result<Made, String> {
        let trust = match &self.ca {
            _ if self.insecure => Trust::Any,
            Some(path) => {
                let (roots, certificates) = pem::roots(path).map_err(|error| format!("option ca: {error}"))?;
                Trust::Authorities { roots, named: certificates, any_name: self.any_name }
            }
            None => Trust::Authorities { roots: system_roots(), named: Vec::new(), any_name: false },
        };
        let identity = match &self.identity {
            Some((cert, key)) => Some(Identity {
                chain: pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?,
                key: pem::key(key).map_err(|error| format!("option key: {error}"))?,
                misfit: format!(
                    "options cert and key: {} cannot be used, or it is not the key of the first certificate in {} \
                     (P-521 is not supported)",
                    key.display(),
                    cert.display()
                ),
            }),
            None => None,
        };
        Made::new(trust, identity)
    }
}

impl Made {
    /// `Trust::Authorities` of an empty store trusts no server.
    pub(super) fn new(trust: Trust, identity: Option<Identity>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let verifier: Arc<dyn ServerCertVerifier> = match trust {
            Trust::Any => Arc::new(TrustAnyone(provider)),
            Trust::Authorities { roots, named, any_name } => Arc::new(TrustNamed { roots, named, any_name, provider }),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier.clone());
        let mut config = match identity {
            Some(Identity { chain, key, misfit }) => builder.with_client_auth_cert(chain, key).map_err(|_| misfit)?,
            None => builder.with_no_client_auth(),
        };
        let (resolver, request) = Noted::new(config.client_auth_cert_resolver.clone());
        config.client_auth_cert_resolver = resolver;
        Ok(Self { config: config.into(), verifier, request })
    }

    /// Settings for a connection whose server is judged after the handshake. No later connection resumes its session, because
    /// a resumed one shows no certificate.
    pub(super) fn unjudged(&self) -> ClientConfig {
        let mut config = ClientConfig::clone(&self.config);
        let trust = TrustAnyone(config.crypto_provider().clone());
        config.dangerous().set_certificate_verifier(Arc::new(trust));
        config.resumption = Resumption::disabled();
        config
    }

    /// Judges the certificates that a server has shown, the first of which is its own.
    pub(super) fn judge(&self, shown: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<(), rustls::Error> {
        let (own, intermediates) = shown.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        self.verifier.verify_server_cert(own, intermediates, name, &[], UnixTime::now()).map(drop)
    }
}

/// A certificate that is shown to the server
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The fault of a key that does not fit
    misfit: String,
}
