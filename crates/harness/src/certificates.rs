//! A certificate authority of one test, its certificates, and TLS servers that show them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;

/// Part of each authority's name: clients take two authorities of one name for one whose signature is broken.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A certificate and its key, both as PEM
pub struct Identity {
    /// The certificate
    pub certificate: String,
    /// Its key
    pub key: String,
}

/// An authority, with its certificate in a file
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority, which no client trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let name = format!("test authority {}", NUMBER.fetch_add(1, Ordering::SeqCst));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, directory: TempDir::new().unwrap() };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The authority's own certificate, as PEM
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// The path of the authority's certificate
    pub fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// A new certificate for a server or a client of this name.
    pub fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.issue(&[name]);
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The paths of files with a new certificate for these names, and with its key.
    pub fn identity_files(&self, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.issue(names);
        let (cert, key_path) = (self.path("cert.pem"), self.path("key.pem"));
        std::fs::write(&cert, certificate.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        (cert.display().to_string(), key_path.display().to_string())
    }

    fn issue(&self, names: &[&str]) -> (Certificate, KeyPair) {
        self.sign(&CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap())
    }

    fn sign(&self, params: &CertificateParams) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server with a certificate for these names.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(names);
        config(certificate.der(), &key, None)
    }

    /// The same, but the server asks its clients for a certificate of the same authority.
    pub fn server_for_known_clients(&self, names: &[&str]) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let (certificate, key) = self.issue(names);
        config(certificate.der(), &key, Some(verifier))
    }

    /// A server whose certificate for `localhost` expired in 2020.
    pub fn expired_server(&self) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
        let (certificate, key) = self.sign(&params);
        config(certificate.der(), &key, None)
    }

    /// A server that shows the authority's own certificate, which `openssl req -x509` makes in the same way.
    pub fn server_as_itself(&self) -> Arc<ServerConfig> {
        config(self.issuer.der(), self.issuer.key(), None)
    }
}

fn config(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.into()
}
