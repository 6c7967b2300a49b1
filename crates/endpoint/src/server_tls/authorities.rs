//! The authorities that vouch for clients, and the proof that clients have to give.

use std::{path::Path, sync::Arc, time::SystemTime};

use rustls::{
    crypto::CryptoProvider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::CertificateDer;

use crate::{certificate::Certificate, pem};

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
    /// Those of them that this crate can read
    pub(super) read: Arc<[Certificate]>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    /// Refuses a certificate that vouches for none, because such a file locks every client out, and a file without a certificate that
    /// is valid at this time.
    pub(super) fn read(
        path: &Path,
        may_be_anonymous: bool,
        provider: &Arc<CryptoProvider>,
        now: SystemTime,
    ) -> Result<Self, String> {
        let (roots, certificates) = pem::roots(path)?;
        // webpki has read all of them, so it can use one that this reader does not understand.
        let read: Arc<[_]> = certificates.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
        judge(&read, certificates.len(), now).map_err(|reason| format!("{}: {reason}", path.display()))?;
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let builder = if may_be_anonymous { builder.allow_unauthenticated() } else { builder };
        let verifier = builder.build().map_err(|_| format!("{} holds no authority", path.display()))?;
        Ok(Self { certificates, read, verifier })
    }
}

/// Judges the certificates of a file, of which it has this many.
fn judge(read: &[Certificate], count: usize, now: SystemTime) -> Result<(), String> {
    if let Some(other) = read.iter().find(|certificate| !certificate.can_vouch()) {
        return Err(format!(
            "the certificate of {:?} is no authority's (CA:TRUE is missing): name the authority that signs the certificates of clients",
            other.display_name()
        ));
    }
    let faults: Vec<_> = read.iter().filter_map(|certificate| certificate.invalid_at(now)).collect();
    match faults.first() {
        Some(fault) if faults.len() == count => Err((*fault).to_owned()),
        _ => Ok(()),
    }
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl Eq for Authorities {}
