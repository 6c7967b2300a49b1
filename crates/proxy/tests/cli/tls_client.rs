//! A client that speaks TLS, and HTTP/1.1 inside.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use endpoint::Certificate;
use harness::DEADLINE;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use crate::certificates::Signed;

/// The authorities that a client trusts and the certificate that it shows; connections of one share
/// their sessions
#[derive(Clone)]
pub(crate) struct TlsSettings(pub(crate) Arc<ClientConfig>);

/// A connection after its handshake
pub(crate) struct TlsClient {
    pub(crate) stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsSettings {
    /// Trusts this authority.
    pub(crate) fn new(root: &CertificateDer<'static>) -> Self {
        Self::of(root, rustls::ALL_VERSIONS, None)
    }

    pub(crate) fn of(
        root: &CertificateDer<'static>,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Signed>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        let config = match identity {
            Some(signed) => builder.with_client_auth_cert(vec![signed.der.clone()], signed.private_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        Self(config.into())
    }

    /// Connects, or says how the handshake failed.
    pub(crate) fn try_connect(&self, address: SocketAddr, name: &str) -> io::Result<TlsClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(self.0.clone(), name).unwrap(), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsClient { stream })
    }

    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> TlsClient {
        self.try_connect(address, name).unwrap()
    }
}

impl TlsClient {
    /// The status of an answer without a body, or with one that has a length
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> u16 {
        self.try_get(path).unwrap()
    }

    /// The same, or how the connection failed
    pub(crate) fn try_get(&mut self, path: &str) -> io::Result<u16> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: app\r\n\r\n"))
    }

    /// Sends this request; the status of its answer, or how the connection failed
    pub(crate) fn ask(&mut self, request: &str) -> io::Result<u16> {
        self.stream.write_all(request.as_bytes())?;
        let head = self.head()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        self.stream.read_exact(&mut vec![0; length])?;
        Ok(head[9..12].parse().unwrap())
    }

    /// The head of the next answer in lower case, or how the connection failed
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8(head).unwrap().to_ascii_lowercase())
    }

    /// This number of bytes
    #[track_caller]
    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Of the certificate that the server has shown
    pub(crate) fn fingerprint(&self) -> String {
        Certificate::from_der(&self.stream.conn.peer_certificates().unwrap()[0]).unwrap().fingerprint
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}
