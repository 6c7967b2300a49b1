//! A certificate authority of a test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Signs certificates that nobody else trusts
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both as PEM
pub struct Identity {
    /// The certificate
    pub certificate: String,
    /// Its key
    pub key: String,
}

impl Authority {
    /// A new one
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        Self(CertifiedIssuer::self_signed(params, new_key()).expect("a certificate"))
    }

    /// The authority's own certificate
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server or a client of this name
    pub fn identity(&self, name: &str) -> Identity {
        let key = new_key();
        let params = CertificateParams::new([name.to_string()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
