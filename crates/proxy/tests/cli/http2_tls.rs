//! Which version of HTTP a client speaks over TLS, and what an idle connection costs.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use harness::Authority;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    http2_client::Http2,
    raw_http2::{End, Raw, get},
    support::{OK, Proxy},
    tls_client::TlsSettings,
    upstream::Upstream,
};

/// A client that trusts the authority and offers these protocols (ALPN)
fn offering(authority: &Authority, protocols: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

async fn connect(config: ClientConfig, address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

#[test]
fn alpn_chooses_the_version_and_a_preface_does_not() {
    let (authority, upstream) = (Authority::new(), Upstream::answering(OK));
    let (cert, key) = authority.identity_files(&["localhost"]);
    let proxy = Proxy::start(&upstream, &["--tls-cert", &cert, "--tls-key", &key]);
    for offered in [&["h2"][..], &["http/1.1", "h2"]] {
        let config = offering(&authority, offered);
        let mut client = Http2::over(|| connect(config, proxy.address));
        assert_eq!((client.get("/").status, client.get("/").body.as_str()), (200, "ok"), "{offered:?}");
    }
    let labels = "listener=\"127.0.0.1:0\",network_protocol_version=\"2\"";
    assert_eq!(proxy.metric(&format!("sidekit_proxy_requests_total{{{labels}}}")), 4);
    for offered in [&["http/1.1"][..], &[]] {
        let client = || TlsSettings(Arc::new(offering(&authority, offered))).connect(proxy.address, "localhost");
        let ask = |request: &str| {
            let mut client = client();
            std::io::Write::write_all(&mut client.stream, request.as_bytes()).unwrap();
            let mut start = [0; 12];
            std::io::Read::read_exact(&mut client.stream, &mut start).unwrap();
            String::from_utf8(start.to_vec()).unwrap()
        };
        assert_eq!(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200", "{offered:?}");
        // HTTP/2 over TLS is chosen by ALPN alone (RFC 9113, section 3.2).
        assert_eq!(ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/1.1 400", "{offered:?}");
    }
}

/// An idle connection cannot give up the state of its frames and fields; it costs less than what is set aside for it.
#[test]
fn an_idle_connection_costs_less_than_its_share() {
    const COUNT: u64 = 200;
    const SHARE: u64 = 64 * 1024;
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let (mut clients, mut each) = (Vec::new(), 0);
    // What the first ones leave to the allocator is used by the last ones.
    for _ in 0..2 {
        let before = proxy.metric("process_resident_memory_bytes");
        for _ in 0..COUNT {
            let mut raw = Raw::new(proxy.address);
            raw.send(get(1, "/"));
            assert_eq!(raw.end_of(1), End::Answer(200, b"ok".to_vec()));
            clients.push(raw);
        }
        std::thread::sleep(Duration::from_millis(1500));
        each = proxy.metric("process_resident_memory_bytes").saturating_sub(before) / COUNT;
    }
    assert!(each < SHARE, "{each} bytes a connection");
}
