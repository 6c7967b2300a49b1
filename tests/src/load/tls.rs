//! The TLS of clients.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;

/// How to speak TLS with a server of this name, and to agree on HTTP/2
pub(super) fn client(authority: &str, name: &str) -> (TlsConnector, ServerName<'static>) {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes()).expect("a PEM certificate");
    roots.add(certificate).expect("an authority");
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (Arc::new(config).into(), name.to_owned().try_into().expect("a host name"))
}
