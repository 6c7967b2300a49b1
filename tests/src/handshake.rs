//! What a TLS server shows of itself.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

/// Longer than any handshake on a busy node
const PATIENCE: Duration = Duration::from_secs(10);

/// The certificate (DER) that a server shows to a new client, which trusts this authority (PEM) and asks for this name
pub fn certificate_of(address: SocketAddr, authority: &str, name: &str) -> io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.as_bytes()).map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    certificate.map(|certificate| certificate.to_vec()).ok_or_else(|| io::Error::other("no certificate"))
}
