//! The authorities that vouch for clients, and the proof that clients have to give.

use std::{path::Path, sync::Arc};

use rustls::{
    crypto::CryptoProvider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::CertificateDer;

use crate::pem;

/// The proof that clients have to give. Connections that began under another one may be over,
/// because these authorities would refuse them now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTrust {
    pub(super) needs_authorities: bool,
    pub(super) may_be_anonymous: bool,
    pub(super) authorities: Option<Arc<Authorities>>,
}

/// The authorities that vouch for clients
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    pub(super) fn read(path: &Path, may_be_anonymous: bool, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let (roots, certificates) = pem::roots(path)?;
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let builder = if may_be_anonymous { builder.allow_unauthenticated() } else { builder };
        let verifier = builder.build().map_err(|_| format!("{} holds no authority", path.display()))?;
        Ok(Self { certificates, verifier })
    }
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl Eq for Authorities {}
