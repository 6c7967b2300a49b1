//! Settings and sessions that connections share.

use std::fs;

use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::server_tls::{CertificatePair, ServerTls, ServerTlsSettings};

#[tokio::test]
async fn connections_share_their_settings_and_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut options = Options::from_fragment(&format!("ca={}", cert.display())).unwrap();
    let client = TlsClient::from_options(&mut options).unwrap();
    let settings = ServerTlsSettings { pairs: vec![CertificatePair { cert, key }], ..ServerTlsSettings::default() };
    let server = ServerTls::new(settings, &[b"h2", b"http/1.1"]);
    assert_eq!(server.look().await, []);
    for (protocols, chosen, kind) in [
        (&[b"h2" as &[u8], b"http/1.1"] as &[&[u8]], Some(b"h2" as &[u8]), HandshakeKind::Full),
        (&[b"http/1.1"], Some(b"http/1.1"), HandshakeKind::Resumed),
        (&[], None, HandshakeKind::Resumed),
    ] {
        let (near, far) = duplex(1 << 14);
        let acceptor = TlsAcceptor::from(server.config().unwrap());
        let accept = async {
            let mut stream = acceptor.accept(far).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            stream
        };
        let name = client.name_for("localhost").unwrap();
        let connect = async {
            let mut stream = client.connect(name, near, protocols).await.unwrap();
            // The tickets come in front of this byte.
            stream.read_u8().await.unwrap();
            stream
        };
        let (_accepted, connected) = tokio::join!(accept, connect);
        let connection = connected.get_ref().1;
        assert_eq!((connection.alpn_protocol(), connection.handshake_kind()), (chosen, Some(kind)));
    }
    let base = client.config().await.unwrap();
    let (one, other) = (client.offering(base.clone(), &[b"h2"]), client.clone().offering(base.clone(), &[b"h2"]));
    assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &client.offering(base, &[b"http/1.1"])));
}
