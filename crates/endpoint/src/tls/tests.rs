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

#[tokio::test]
async fn a_server_can_be_judged_after_the_handshake() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let stranger = directory.path().join("stranger");
    fs::write(&stranger, rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()).unwrap();
    let settings =
        ServerTlsSettings { pairs: vec![CertificatePair { cert: cert.clone(), key }], ..ServerTlsSettings::default() };
    let server = ServerTls::new(settings, &[]);
    assert_eq!(server.look().await, []);
    for (ca, host, any_name, trusted) in [
        (&cert, "localhost", false, true),
        (&cert, "db", false, false),
        (&cert, "db", true, true),
        (&stranger, "localhost", true, false),
    ] {
        let mut options = Options::from_fragment(&format!("ca={}", ca.display())).unwrap();
        let client = TlsClient::with_names(&mut options, any_name).unwrap();
        // A session that could be resumed would show no certificate the second time.
        for _ in 0..2 {
            let (near, far) = duplex(1 << 14);
            let acceptor = TlsAcceptor::from(server.config().unwrap());
            let (accepted, connected) =
                tokio::join!(acceptor.accept(far), client.secure_unjudged(client.name_for(host).unwrap(), near));
            let (_stream, judgement) = connected.unwrap();
            assert_eq!(judgement.is_ok(), trusted, "{host} {any_name}: {judgement:?}");
            assert_eq!(accepted.unwrap().get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[test]
fn any_name_needs_an_authority_of_its_own() {
    for fragment in ["", "insecure", "ca=/ca.pem&insecure"] {
        let refusal = TlsClient::for_any_name(&mut Options::from_fragment(fragment).unwrap()).unwrap_err();
        assert_eq!(refusal, "tls=verify-ca goes with ca=PATH, and without insecure", "{fragment}");
    }
}
