//! A certificate chain with its key, once both have been read and fit together.

use std::{path::Path, sync::Arc, time::SystemTime};

use rustls::{Error, InconsistentKeys, crypto::CryptoProvider, sign::CertifiedKey};

use super::CertificatePair;
use crate::{certificate::Certificate, pem};

/// A pair that can be shown to clients
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    /// The first one of the chain
    pub(super) certificate: Arc<Certificate>,
}

impl Pair {
    /// Refuses a key of another certificate, and a certificate that is not valid at this time. No error holds any of a key.
    pub(super) fn read(files: &CertificatePair, provider: &CryptoProvider, now: SystemTime) -> Result<Self, String> {
        let CertificatePair { cert, key } = files;
        if let Some(pair) = Self::read_once(cert, key, provider, now)? {
            return Ok(pair);
        }
        // One of the files may have been replaced between the two reads.
        Self::read_once(cert, key, provider, now)?.ok_or_else(|| {
            let (key, cert) = (key.display(), cert.display());
            format!("{key} is not the key of the first certificate in {cert}: replace both files together")
        })
    }

    /// Nothing if the key is of another certificate
    fn read_once(cert: &Path, key: &Path, provider: &CryptoProvider, now: SystemTime) -> Result<Option<Self>, String> {
        let chain = pem::certificates(cert)?;
        let private_key = pem::key(key)?;
        let signer = provider.key_provider.load_private_key(private_key).map_err(|_| {
            format!("the key in {} cannot be used: use P-256, P-384, Ed25519, or RSA from 2048 bits", key.display())
        })?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => return Ok(None),
            Err(_) => return Err(format!("the first certificate in {} cannot be used for TLS", cert.display())),
            Ok(()) => (),
        }
        let first = certified.cert.first().ok_or_else(|| format!("{} holds no PEM certificate", cert.display()))?;
        let about_it = |reason: &str| format!("{}: {reason}", cert.display());
        let certificate = Certificate::from_der(first).map_err(|reason| about_it(&reason))?;
        if let Some(reason) = certificate.invalid_at(now) {
            return Err(about_it(reason));
        }
        Ok(Some(Self { certified: certified.into(), certificate: certificate.into() }))
    }
}

/// A key that belongs to the same certificate is the same.
impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}
