//! Certificates in a directory as the kubelet keeps it, and an authority that signs them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use endpoint::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// An authority, and a directory of what it has signed: all files change by one swap of `..data`
pub(crate) struct Secret {
    pub(crate) directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) root: CertificateDer<'static>,
    root_pem: String,
}

/// A certificate with its key
pub(crate) struct Signed {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Secret {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = TempDir::new().unwrap();
        // No two authorities have one name.
        params.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let (root, root_pem) = (root.der().clone(), root.pem());
        Self { directory, issuer: Issuer::new(params, key), root, root_pem }
    }

    /// With a certificate for these hosts in `tls.crt` and `tls.key`, and the authority in `ca.crt`
    pub(crate) fn with(hosts: &[&str]) -> Self {
        let secret = Self::new();
        secret.publish("..1", &secret.sign(hosts, |_| ()));
        secret
    }

    /// A new certificate with a new key
    pub(crate) fn sign(&self, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Signed { der: cert.der().clone(), cert: cert.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A path as an argument
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Swaps in a version of `tls.crt`, `tls.key` and `ca.crt`.
    pub(crate) fn publish(&self, version: &str, signed: &Signed) {
        let files = [("tls.crt", &signed.cert), ("tls.key", &signed.key), ("ca.crt", &self.root_pem)];
        fs::create_dir(self.path(version)).unwrap();
        for (name, text) in files {
            fs::write(self.path(version).join(name), text).unwrap();
            let _ = symlink(Path::new("..data").join(name), self.path(name));
        }
        symlink(version, self.path("..next")).unwrap();
        fs::rename(self.path("..next"), self.path("..data")).unwrap();
    }

    /// Arguments of a listener that shows `tls.crt`
    pub(crate) fn arguments(&self) -> [String; 4] {
        ["--tls-cert".into(), self.text("tls.crt"), "--tls-key".into(), self.text("tls.key")]
    }
}

impl Signed {
    pub(crate) fn fingerprint(&self) -> String {
        Certificate::from_der(&self.der).unwrap().fingerprint
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        rustls::pki_types::pem::PemObject::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}
