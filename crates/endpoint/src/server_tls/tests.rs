//! Handshakes in memory, with certificates in files that change.
//!
//! Long because each test needs handshakes of its own, and all of them share the two sides and the files.

use std::{fs, slice, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, HandshakeKind, RootCertStore, ServerConnection, SignatureScheme,
    SupportedProtocolVersion, client::ResolvesClientCert, sign::CertifiedKey, time_provider::TimeProvider, version,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tempfile::TempDir;

use super::*;
use crate::{pem, source::tests::change};

/// An authority, and files of certificates that it has signed
struct Files {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let (issuer, root) = authority();
        Self { directory: TempDir::new().unwrap(), issuer, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pair(&self, name: &str) -> CertificatePair {
        CertificatePair { cert: self.path(&format!("{name}.crt")), key: self.path(&format!("{name}.key")) }
    }

    /// Writes a certificate with its key as `NAME.crt` and `NAME.key`.
    fn write(&self, name: &str, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificatePair {
        self.write_of_kind(name, hosts, &PKCS_ECDSA_P256_SHA256, change)
    }

    fn write_of_kind(
        &self,
        name: &str,
        hosts: &[&str],
        kind: &'static SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificatePair {
        let key = KeyPair::generate_for(kind).unwrap();
        let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let pair = self.pair(name);
        fs::write(&pair.cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(&pair.key, key.serialize_pem()).unwrap();
        pair
    }

    fn write_authority(&self, root: &CertificateDer) -> PathBuf {
        let (path, text) =
            (self.path("ca.crt"), base64::Engine::encode(&base64::engine::general_purpose::STANDARD, root));
        fs::write(&path, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
        path
    }

    /// A client that trusts the authority, and perhaps has a certificate of these files
    fn client(&self, versions: &[&'static SupportedProtocolVersion], identity: Option<&str>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        let Some(name) = identity else { return builder.with_no_client_auth().into() };
        let CertificatePair { cert, key } = self.pair(name);
        let identity = (pem::certificates(&cert).unwrap(), pem::key(&key).unwrap());
        builder.with_client_auth_cert(identity.0, identity.1).unwrap().into()
    }

    fn identity(&self, name: &str) -> Arc<CertifiedKey> {
        let CertificatePair { cert, key } = self.pair(name);
        let (chain, key) = (pem::certificates(&cert).unwrap(), pem::key(&key).unwrap());
        CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap().into()
    }
}

fn authority() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().der().clone();
    (Issuer::new(params, key), root)
}

fn server(pairs: &[CertificatePair], client_ca: Option<PathBuf>, client_may_be_anonymous: bool) -> ServerTls {
    let settings = ServerTlsSettings { pairs: pairs.to_vec(), client_ca, client_may_be_anonymous };
    ServerTls::new(settings, &[b"h2", b"http/1.1"])
}

/// Looks again, as if the time between two looks had passed.
async fn look(tls: &ServerTls) -> Vec<String> {
    tls.pairs.iter().for_each(change);
    tls.authorities.iter().for_each(change);
    tls.look().await.iter().map(ToString::to_string).collect()
}

/// Both sides after a handshake, or why one of them ended it
fn handshake(
    server: &ServerTls,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), Error> {
    handshake_with(server.config().expect("a certificate"), client, name)
}

fn handshake_with(
    config: Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = Connection::Client(ClientConnection::new(client.clone(), name).unwrap());
    let mut server = Connection::Server(ServerConnection::new(config).unwrap());
    // The server's tickets come behind the handshake.
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() || client.wants_write() {
        pass(&mut client, &mut server)?;
        pass(&mut server, &mut client)?;
    }
    match (server, client) {
        (Connection::Server(server), Connection::Client(client)) => Ok((server, client)),
        _ => unreachable!("each is its own side"),
    }
}

fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = &*bytes;
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// The first host name of the certificate that a client gets
fn shown(server: &ServerTls, client: &Arc<ClientConfig>, name: &str) -> String {
    let (_, client) = handshake(server, client, name).unwrap();
    Certificate::from_der(&client.peer_certificates().unwrap()[0]).unwrap().display_name()
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let files = Files::new();
    let pairs = [
        files.write("first", &["first.example", "other.example", "127.0.0.1"], |_| ()),
        files.write("wild", &["*.wild.example"], |_| ()),
        files.write("exact", &["a.wild.example"], |_| ()),
    ];
    let tls = server(&pairs, None, false);
    assert!(tls.config().is_none() && !tls.is_whole());
    assert_eq!(tls.look().await, []);
    let client = files.client(rustls::ALL_VERSIONS, None);
    for (name, first) in [
        ("first.example", "first.example"),
        ("other.example", "first.example"),
        ("OTHER.example", "first.example"),
        ("b.wild.example", "*.wild.example"),
        ("a.wild.example", "a.wild.example"),
        ("127.0.0.1", "first.example"),
    ] {
        assert_eq!(shown(&tls, &client, name), first, "{name}");
    }
    // One label only, and an unknown name: the client itself refuses the first certificate.
    for name in ["b.a.wild.example", "wild.example", "unknown.example"] {
        assert!(matches!(handshake(&tls, &client, name).unwrap_err(), Error::InvalidCertificate(_)), "{name}");
        assert_eq!(tls.certificate_for(Some(name)).unwrap().display_name(), "first.example", "{name}");
    }
    assert_eq!(tls.certificate_for(Some("A.Wild.Example")).unwrap().display_name(), "a.wild.example");
    assert_eq!((tls.certificates().len(), tls.is_whole(), tls.files().count()), (3, true, 6));
    let (_, client) = handshake(&tls, &client, "first.example").unwrap();
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn of_several_keys_for_a_name_the_client_gets_one_that_it_can_verify() {
    let files = Files::new();
    let pairs = [
        files.write_of_kind("ed25519", &["both.example"], &PKCS_ED25519, |_| ()),
        files.write_of_kind("p384", &["both.example"], &PKCS_ECDSA_P384_SHA384, |_| ()),
    ];
    let tls = server(&pairs, None, false);
    assert_eq!(tls.look().await, []);
    let fingerprint =
        |client: &ClientConnection| Certificate::from_der(&client.peer_certificates().unwrap()[0]).unwrap().fingerprint;
    let fingerprints: Vec<_> = tls.certificates().iter().map(|certificate| certificate.fingerprint.clone()).collect();
    let client = files.client(rustls::ALL_VERSIONS, None);
    let (_, any) = handshake(&tls, &client, "both.example").unwrap();
    assert_eq!(fingerprint(&any), fingerprints[0]);
    let mut provider = ring::default_provider();
    provider.signature_verification_algorithms.mapping = &provider.signature_verification_algorithms.mapping[..2];
    let mut roots = RootCertStore::empty();
    roots.add(files.root.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
    let old = builder.with_root_certificates(roots).with_no_client_auth().into();
    let (_, old) = handshake(&tls, &old, "both.example").unwrap();
    assert_eq!(fingerprint(&old), fingerprints[1]);
}

#[tokio::test]
async fn a_pair_that_is_replaced_is_shown_once_both_files_fit() {
    let files = Files::new();
    let pair = files.write("tls", &["first.example"], |_| ());
    let tls = server(slice::from_ref(&pair), None, false);
    assert_eq!(tls.look().await, []);
    let before = tls.config().unwrap();
    assert_eq!(look(&tls).await, Vec::<String>::new());
    assert!(Arc::ptr_eq(&before, &tls.config().unwrap()), "nothing has changed");
    // Half-way: the certificate is new, and the key is old.
    let old_key = fs::read(&pair.key).unwrap();
    files.write("tls", &["second.example"], |_| ());
    let new_key = fs::read(&pair.key).unwrap();
    fs::write(&pair.key, &old_key).unwrap();
    let faults = look(&tls).await;
    let (key, cert) = (pair.key.display(), pair.cert.display());
    assert_eq!(
        faults,
        [format!("{key} is not the key of the first certificate in {cert}: replace both files together")]
    );
    let client = files.client(rustls::ALL_VERSIONS, None);
    assert_eq!(shown(&tls, &client, "first.example"), "first.example");
    fs::write(&pair.key, &new_key).unwrap();
    assert_eq!(look(&tls).await, Vec::<String>::new());
    assert_eq!(shown(&tls, &client, "second.example"), "second.example");
    // Files that are gone, and those that hold no key, change nothing.
    for text in [None, Some("-----BEGIN PRIVATE KEY----- c2VjcmV0 -----END PRIVATE KEY-----"), Some("secret")] {
        match text {
            Some(text) => fs::write(&pair.key, text).unwrap(),
            None => fs::remove_file(&pair.key).unwrap(),
        }
        let faults = look(&tls).await;
        assert!(faults.len() == 1 && faults[0].contains(&key.to_string()), "{faults:?}");
        assert!(!faults[0].contains("c2VjcmV0") && !faults[0].contains("secret"), "{faults:?}");
        assert_eq!(shown(&tls, &client, "second.example"), "second.example");
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_not_put_into_force() {
    let files = Files::new();
    let expire = |params: &mut CertificateParams| params.not_after = date_time_ymd(2021, 1, 1);
    let pair = files.write("tls", &["first.example"], expire);
    let tls = server(slice::from_ref(&pair), None, false);
    assert_eq!(look(&tls).await, [format!("{}: the certificate has expired", pair.cert.display())]);
    assert!(tls.config().is_none() && !tls.is_whole());
    files.write("tls", &["second.example"], |_| ());
    assert_eq!(look(&tls).await, Vec::<String>::new());
    files.write("tls", &["third.example"], |params| params.not_before = date_time_ymd(2100, 1, 1));
    assert!(look(&tls).await[0].ends_with("the certificate is not valid yet: is the clock right?"));
    let client = files.client(rustls::ALL_VERSIONS, None);
    assert_eq!(shown(&tls, &client, "second.example"), "second.example");
}

#[tokio::test]
async fn one_pair_that_cannot_be_used_keeps_no_other_back() {
    let files = Files::new();
    let (missing, other) = (files.pair("missing"), files.write("other", &["other.example"], |_| ()));
    let tls = server(&[missing, other], None, false);
    assert_eq!(look(&tls).await.len(), 1);
    let client = files.client(rustls::ALL_VERSIONS, None);
    assert_eq!((shown(&tls, &client, "other.example"), tls.is_whole()), ("other.example".into(), false));
    assert!(handshake(&tls, &client, "missing.example").is_err());
    files.write("missing", &["missing.example"], |_| ());
    assert_eq!(look(&tls).await, Vec::<String>::new());
    assert_eq!((shown(&tls, &client, "missing.example"), tls.is_whole()), ("missing.example".into(), true));
}

#[tokio::test]
async fn sessions_are_resumed_until_the_authorities_for_clients_change() {
    for version in [&version::TLS13, &version::TLS12] {
        let files = Files::new();
        let pair = files.write("tls", &["first.example"], |_| ());
        files.write("client", &["client.example"], |_| ());
        let tls = server(&[pair], Some(files.write_authority(&files.root)), false);
        assert_eq!(tls.look().await, []);
        let client = files.client(&[version], Some("client"));
        let kind = || {
            let (server, _) = handshake(&tls, &client, "first.example").unwrap();
            let peer = peer_certificate(&server).unwrap().unwrap();
            assert_eq!(peer.display_name(), "client.example");
            server.handshake_kind()
        };
        assert_eq!((kind(), kind()), (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)), "{version:?}");
        // Neither files that are read again nor a renewed certificate of the server ends a session.
        assert_eq!(look(&tls).await, Vec::<String>::new());
        assert_eq!(kind(), Some(HandshakeKind::Resumed), "{version:?}");
        files.write("tls", &["first.example"], |_| ());
        assert_eq!(look(&tls).await, Vec::<String>::new());
        assert_eq!(kind(), Some(HandshakeKind::Resumed), "{version:?}");
        // An authority that no longer vouches for the client does, although its session would go on.
        let (_, other) = authority();
        files.write_authority(&other);
        assert_eq!(look(&tls).await, Vec::<String>::new());
        let refused = handshake(&tls, &client, "first.example").unwrap_err();
        assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn clients_need_a_certificate_of_the_authority() {
    let files = Files::new();
    let pair = files.write("tls", &["first.example"], |_| ());
    let ca = files.write_authority(&files.root);
    let strangers = Files::new();
    strangers.write("stranger", &["stranger.example"], |_| ());
    for name in ["stranger.crt", "stranger.key"] {
        fs::copy(strangers.path(name), files.path(name)).unwrap();
    }
    files.write("client", &["client.example"], |_| ());
    files.write("expired", &["client.example"], |params| params.not_after = date_time_ymd(2021, 1, 1));
    let (required, optional) =
        (server(slice::from_ref(&pair), Some(ca.clone()), false), server(&[pair], Some(ca), true));
    assert_eq!((required.look().await, optional.look().await), (vec![], vec![]));
    let versions = rustls::ALL_VERSIONS;
    let anonymous = files.client(versions, None);
    assert_eq!(handshake(&required, &anonymous, "first.example").unwrap_err(), Error::NoCertificatesPresented);
    let (accepted, _) = handshake(&optional, &anonymous, "first.example").unwrap();
    assert_eq!(peer_certificate(&accepted), Ok(None));
    for tls in [&required, &optional] {
        for name in ["stranger", "expired"] {
            let refused = handshake(tls, &files.client(versions, Some(name)), "first.example").unwrap_err();
            assert!(matches!(refused, Error::InvalidCertificate(_)), "{name}: {refused:?}");
        }
        let (accepted, _) = handshake(tls, &files.client(versions, Some("client")), "first.example").unwrap();
        assert_eq!(peer_certificate(&accepted).unwrap().unwrap().display_name(), "client.example");
    }
}

/// The certificate of a client, which may be renewed
#[derive(Debug)]
struct Renewable(Mutex<Arc<CertifiedKey>>);

impl ResolvesClientCert for Renewable {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap().clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The clock in the year 2020
#[derive(Debug)]
struct Earlier;

impl TimeProvider for Earlier {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_600_000_000)))
    }
}

#[tokio::test]
async fn a_client_shows_its_renewed_certificate_once_that_of_its_session_has_expired() {
    for version in [&version::TLS13, &version::TLS12] {
        let files = Files::new();
        let pair = files.write("tls", &["first.example"], |_| ());
        files.write("old", &["old.example"], |params| params.not_after = date_time_ymd(2021, 1, 1));
        files.write("new", &["new.example"], |_| ());
        let tls = server(&[pair], Some(files.write_authority(&files.root)), false);
        assert_eq!(tls.look().await, []);
        let mut earlier = ServerConfig::clone(&tls.config().unwrap());
        earlier.time_provider = Arc::new(Earlier);
        let mut client = ClientConfig::clone(&files.client(&[version], None));
        let identity = Arc::new(Renewable(Mutex::new(files.identity("old"))));
        client.client_auth_cert_resolver = identity.clone();
        let client = Arc::new(client);
        let (server, _) = handshake_with(earlier.into(), &client, "first.example").unwrap();
        assert_eq!(peer_certificate(&server), Err("the certificate has expired".to_owned()));
        // The client offers the ticket of its session, but its old certificate does not count any more.
        let refused = handshake(&tls, &client, "first.example").unwrap_err();
        assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused:?}");
        *identity.0.lock().unwrap() = files.identity("new");
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (server, _) = handshake(&tls, &client, "first.example").unwrap();
            assert_eq!(server.handshake_kind(), Some(kind), "{version:?}");
            assert_eq!(peer_certificate(&server).unwrap().unwrap().display_name(), "new.example");
        }
    }
}
