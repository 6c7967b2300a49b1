//! Certificates and keys in PEM files.

use std::{io, path::Path, sync::Arc};

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Bytes; the bundle of a whole system has a tenth of that, and a wrong path could name anything.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// All certificates of a file, as authorities
pub(crate) fn roots(path: &Path) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots.into())
}

/// All certificates of a file; at least one
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{} holds no PEM certificate", path.display())),
        certificates => certificates.map_err(|error| pem_error(path, &error)),
    }
}

/// The first private key of a file
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| pem_error(path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    lifecycle::read_bytes(path, FILE_LIMIT).map_err(cannot)
}

fn pem_error(path: &Path, error: &rustls_pki_types::pem::Error) -> String {
    let path = path.display();
    match error {
        rustls_pki_types::pem::Error::NoItemsFound => format!("{path} holds no PEM private key"),
        error => format!("{path} is not PEM: {error}"),
    }
}
