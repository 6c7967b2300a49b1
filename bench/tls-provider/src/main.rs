//! Full TLS 1.3 handshakes in memory; prints the client's CPU microseconds for each.

use std::{
    error::Error,
    io::{Read, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, client::Resumption};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

const HANDSHAKES: u32 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("usage: tls-provider DIRECTORY")?;
    let directory = Path::new(&directory);
    #[cfg(feature = "ring")]
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    #[cfg(not(feature = "ring"))]
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("ca.pem"))?)?;
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let client = Arc::new(client);
    let chain = vec![CertificateDer::from_pem_file(directory.join("server.pem"))?];
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key"))?;
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let server = Arc::new(server.with_no_client_auth().with_single_cert(chain, key)?);

    let mut spent = Duration::ZERO;
    for _ in 0..HANDSHAKES {
        spent += handshake(&client, &server)?;
    }
    println!("{:.1}", spent.as_secs_f64() * 1e6 / f64::from(HANDSHAKES));
    Ok(())
}

/// Returns the time that the client's side has taken. One thread and no waiting, so that it is CPU time.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<Duration, Box<dyn Error>> {
    let mut spent = Duration::ZERO;
    let begin = Instant::now();
    let mut client = ClientConnection::new(client.clone(), "localhost".try_into()?)?;
    spent += begin.elapsed();
    let mut server = ServerConnection::new(server.clone())?;
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        let begin = Instant::now();
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        spent += begin.elapsed();
        feed(&wire, |bytes| server.read_tls(bytes))?;
        server.process_new_packets()?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire)?;
        }
        let begin = Instant::now();
        feed(&wire, |bytes| client.read_tls(bytes))?;
        client.process_new_packets()?;
        spent += begin.elapsed();
        wire.clear();
    }
    client.writer().flush()?;
    Ok(spent)
}

fn feed(mut bytes: &[u8], mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>) -> std::io::Result<()> {
    while !bytes.is_empty() {
        read(&mut bytes)?;
    }
    Ok(())
}
