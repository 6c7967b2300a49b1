//! Handshakes that do not end well: slow ones, floods, wrong certificates, other protocols. Other clients are served all the while.
//!
//! Long because each kind of failure needs a client of its own.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use harness::{DEADLINE, until};
use rcgen::date_time_ymd;
use rustls::{AlertDescription, ClientConnection, Error, pki_types::ServerName, version};

use crate::{
    certificates::Secret,
    client::{Client, header},
    support::{OK, Proxy},
    tls_client::TlsSettings,
    upstream::Upstream,
};

/// A proxy in front of an upstream, with a certificate for `app.example` and more arguments
struct Front {
    proxy: Proxy,
    secret: Secret,
    _upstream: Upstream,
}

impl Front {
    fn start(arguments: &[&str]) -> Self {
        let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
        let shown = secret.arguments();
        let arguments: Vec<_> = shown.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        let proxy = Proxy::start(&upstream, &arguments);
        harness::http::until_status(proxy.health, "/readyz", 200);
        Self { proxy, secret, _upstream: upstream }
    }

    /// With clients that need a certificate of the same authority
    fn with_client_ca() -> Self {
        let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
        let (shown, ca) = (secret.arguments(), secret.text("ca.crt"));
        let arguments: Vec<_> = shown.iter().map(String::as_str).chain(["--client-ca", &ca]).collect();
        let proxy = Proxy::start(&upstream, &arguments);
        harness::http::until_status(proxy.health, "/readyz", 200);
        Self { proxy, secret, _upstream: upstream }
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings::new(&self.secret.root)
    }

    fn hello(&self) -> Vec<u8> {
        let name = ServerName::try_from("app.example").unwrap();
        let mut bytes = Vec::new();
        ClientConnection::new(self.settings().0, name).unwrap().write_tls(&mut bytes).unwrap();
        bytes
    }

    /// A client that has sent these bytes
    fn raw(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.proxy.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    #[track_caller]
    fn is_served(&self) {
        assert_eq!(self.settings().connect(self.proxy.address, "app.example").get("/"), 200);
    }

    fn outcomes(&self, outcome: &str) -> u64 {
        let versions: &[&str] = if ["full", "resumed"].contains(&outcome) { &["1.2", "1.3"] } else { &[""] };
        versions.iter().map(|version| self.handshakes(outcome, version)).sum()
    }

    /// Those of one version of TLS
    fn handshakes(&self, outcome: &str, version: &str) -> u64 {
        let labels = format!("listener=\"127.0.0.1:0\",outcome=\"{outcome}\",tls_protocol_version=\"{version}\"");
        self.proxy.metric(&format!("sidekit_proxy_tls_handshakes_total{{{labels}}}"))
    }

    fn met(&self, limit: &str) -> u64 {
        self.proxy.metric(&format!("sidekit_proxy_limits_met_total{{limit=\"{limit}\"}}"))
    }

    #[track_caller]
    fn until_outcomes(&self, outcome: &str, count: u64) {
        until(&format!("{count} of {outcome}"), || (self.outcomes(outcome) == count).then_some(()));
    }
}

/// Reads until the connection ends, which must not be by a reset.
#[track_caller]
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The alert that ended a connection, on either side of the handshake's end
#[track_caller]
fn alert(settings: &TlsSettings, address: SocketAddr, name: &str) -> AlertDescription {
    let ended = settings.try_connect(address, name).and_then(|mut client| client.try_get("/"));
    match endpoint::tls_error(&ended.unwrap_err()) {
        Some(Error::AlertReceived(alert)) => *alert,
        other => panic!("no alert: {other:?}"),
    }
}

#[test]
fn a_slow_handshake_ends_in_time() {
    let front = Front::start(&["--handshake-timeout", "500ms"]);
    let hello = front.hello();
    let start = Instant::now();
    let slow = [front.raw(&[]), front.raw(&hello[..1]), front.raw(&hello[..hello.len() - 1]), front.raw(&hello)];
    front.is_served();
    for mut stream in slow {
        let mut bytes = Vec::new();
        // What the client sent and the proxy did not read may make it a reset.
        let _ = stream.read_to_end(&mut bytes);
    }
    let elapsed = start.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    front.until_outcomes("timed-out", 4);
    assert_eq!((front.met("handshake-timeout"), front.outcomes("full")), (4, 1));
}

#[test]
fn handshakes_beyond_the_bound_wait_for_their_turn() {
    let front = Front::start(&["--max-handshakes", "2", "--handshake-timeout", "2s"]);
    let hello = front.hello();
    let stalled = [front.raw(&hello[..50]), front.raw(&hello[..50])];
    // It waits until one of the others goes, and is served then.
    let (settings, address) = (front.settings(), front.proxy.address);
    let waiting = thread::spawn(move || settings.connect(address, "app.example").get("/"));
    until("all have connected", || (front.proxy.counted("sidekit_proxy_connections") == 3).then_some(()));
    stalled[0].shutdown(Shutdown::Both).unwrap();
    assert_eq!(waiting.join().unwrap(), 200);
    front.until_outcomes("abandoned", 1);
    // Those that send nothing take no turn.
    let _silent: Vec<_> = (0..20).map(|_| front.raw(&[])).collect();
    front.is_served();
    drop(stalled);
    front.until_outcomes("abandoned", 2);
    // A turn that does not come in time
    let late = [front.raw(&hello[..50]), front.raw(&hello[..50]), front.raw(&hello[..50])];
    until("one has had no turn", || (front.outcomes("crowded") + front.outcomes("timed-out") >= 3).then_some(()));
    assert!(front.met("max-handshakes") <= 1);
    drop(late);
    front.is_served();
}

#[test]
fn a_new_client_does_not_wait_behind_slow_handshakes() {
    // Longer than the patience of the test
    let front = Front::start(&["--max-handshakes", "2", "--handshake-timeout", "5m"]);
    let hello = front.hello();
    let stalled: Vec<_> = (0..20).map(|_| front.raw(&hello[..hello.len() - 1])).collect();
    until("all have connected", || (front.proxy.counted("sidekit_proxy_connections") == 20).then_some(()));
    for _ in 0..3 {
        front.is_served();
    }
    assert!(front.outcomes("crowded") >= 1 && front.met("max-handshakes") >= 1);
    assert_eq!((front.outcomes("timed-out"), front.outcomes("full") + front.outcomes("resumed")), (0, 3));
    drop(stalled);
    until("nothing is left", || (front.proxy.counted("sidekit_proxy_connections") == 0).then_some(()));
}

#[test]
fn a_flood_of_handshakes_takes_little_memory_and_keeps_no_client_out() {
    let front = Front::start(&["--max-handshakes", "64", "--handshake-timeout", "3s"]);
    let hello = front.hello();
    front.is_served();
    let before = front.proxy.metric("process_resident_memory_bytes");
    let flood: Vec<_> = (0..2000).map(|_| front.raw(&hello[..hello.len() - 1])).collect();
    until("they are accepted", || (front.proxy.counted("sidekit_proxy_connections") >= 1900).then_some(()));
    let grown = front.proxy.metric("process_resident_memory_bytes").saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes for 2000 clients");
    let ends = |front: &Front| front.outcomes("timed-out") + front.outcomes("crowded") + front.outcomes("abandoned");
    until("the flood is over", || (ends(&front) == 2000).then_some(()));
    drop(flood);
    front.is_served();
}

#[test]
fn clients_without_a_good_certificate_read_why() {
    let front = Front::with_client_ca();
    let (secret, strangers) = (&front.secret, Secret::new());
    let expired = secret.sign(&["client.example"], |params| params.not_after = date_time_ymd(2021, 1, 1));
    let early = secret.sign(&["client.example"], |params| params.not_before = date_time_ymd(2100, 1, 1));
    let (stranger, good) = (strangers.sign(&["client.example"], |_| ()), secret.sign(&["client.example"], |_| ()));
    for version in [&version::TLS13, &version::TLS12] {
        let settings = |signed| TlsSettings::of(&secret.root, &[version], signed);
        let alert_for = |signed| alert(&settings(signed), front.proxy.address, "app.example");
        assert_eq!(alert_for(None), AlertDescription::CertificateRequired, "{version:?}");
        assert_eq!(alert_for(Some(&expired)), AlertDescription::CertificateExpired, "{version:?}");
        assert_eq!(alert_for(Some(&early)), AlertDescription::CertificateExpired, "{version:?}");
        assert_eq!(alert_for(Some(&stranger)), AlertDescription::UnknownCA, "{version:?}");
        assert_eq!(settings(Some(&good)).connect(front.proxy.address, "app.example").get("/"), 200, "{version:?}");
    }
    front.until_outcomes("client-certificate", 8);
    assert_eq!(front.outcomes("full"), 2);
    // The log names each client with each fault once.
    let ended = front.proxy.stop();
    let lines = ended.messages("a client is refused for its certificate");
    for reason in ["shows no certificate", "has expired", "is not valid yet", "no authority of client-ca has signed"] {
        let told: Vec<_> = lines.iter().filter(|line| line["reason"].as_str().unwrap().contains(reason)).collect();
        assert_eq!(told.len(), 1, "{reason}: {lines:?}");
        assert_eq!((&told[0]["client"], &told[0]["listener"]), (&"127.0.0.1".into(), &"127.0.0.1:0".into()));
    }
}

#[test]
fn other_protocols_than_tls_are_told() {
    let front = Front::start(&[]);
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = Client::new(front.proxy.address);
        client.send(request);
        let answer = client.answer();
        assert_eq!((answer.status, header(&answer.head, "connection")), (400, Some("close")), "{answer:?}");
        assert_eq!(answer.body, "400 Bad Request: plain-http: this port speaks TLS, so write https://\n");
        assert!(client.is_closed());
    }
    assert_eq!((front.proxy.refusals("plain-http"), front.outcomes("plain-http")), (2, 2));
    // An alert is a record of type 21 with the level 2 and a description.
    let is_alert = |bytes: &[u8], description: u8| bytes.len() == 7 && bytes[0] == 21 && bytes[5..] == [2, description];
    for bytes in [&[0x80, 0x2e, 1, 0, 2][..], &[22, 3, 1, 0, 4, 0xff, 0, 0, 0], &[23, 3, 3, 0, 1, 0], b"\0\0\0\0\0"] {
        let stream = front.raw(bytes);
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(stream);
        assert!(answer.is_empty() || answer[0] == 21, "{bytes:?}: {answer:?}");
    }
    // TLS 1.1, as its client begins: the alert is `protocol_version`.
    let signature_algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0], &signature_algorithms].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &*hello].concat();
    let answer = rest(front.raw(&record));
    assert!(is_alert(&answer, 70), "{answer:?}");
    front.until_outcomes("incompatible", 1);
    // No application protocol in common: the alert is `no_application_protocol`.
    let mut config = rustls::ClientConfig::clone(&front.settings().0);
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let settings = TlsSettings(config.into());
    assert_eq!(alert(&settings, front.proxy.address, "app.example"), AlertDescription::NoApplicationProtocol);
    front.is_served();
}

#[test]
fn a_client_before_the_certificate_reads_an_alert() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::new());
    let signed = secret.sign(&["app.example"], |_| ());
    secret.publish("..1", &signed);
    // The key of another certificate
    fs::write(secret.path("..1/tls.key"), secret.sign(&["app.example"], |_| ()).key).unwrap();
    let shown = secret.arguments();
    let one_turn = ["--workers", "1", "--max-handshakes", "1", "--handshake-timeout", "3s"];
    let arguments: Vec<_> = shown.iter().map(String::as_str).chain(one_turn).collect();
    let proxy = Proxy::start(&upstream, &arguments);
    let ready = harness::http::get(proxy.health, "/readyz");
    assert!(ready.status == 503 && ready.body.contains("is not the key of the first certificate in"), "{ready:?}");
    let settings = TlsSettings::new(&secret.root);
    assert_eq!(alert(&settings, proxy.address, "app.example"), AlertDescription::InternalError);
    // A client that stays after its alert keeps no turn.
    let mut staying: Vec<_> = (0..8).map(|_| TcpStream::connect(proxy.address).unwrap()).collect();
    for client in &mut staying {
        client.write_all(&[22]).unwrap();
    }
    for (number, client) in staying.iter_mut().enumerate() {
        let mut answer = [0; 7];
        client.read_exact(&mut answer).unwrap_or_else(|error| panic!("client {number}: {error}"));
        assert_eq!(answer, [21, 3, 3, 0, 2, 2, 80], "client {number}");
    }
    fs::write(secret.path("..1/tls.key"), &signed.key).unwrap();
    harness::http::until_status(proxy.health, "/readyz", 200);
    assert_eq!(settings.connect(proxy.address, "app.example").get("/"), 200);
}

#[test]
fn an_idle_connection_ends_with_the_message_that_tls_has_for_it() {
    let front = Front::start(&["--idle-timeout", "300ms"]);
    for version in [&version::TLS13, &version::TLS12] {
        let settings = TlsSettings::of(&front.secret.root, &[version], None);
        let mut client = settings.connect(front.proxy.address, "app.example");
        assert_eq!(client.get("/"), 200);
        // rustls tells an end without the message as an error.
        assert_eq!(
            client.stream.read(&mut [0]).map_err(|error| error.kind()),
            Ok::<_, io::ErrorKind>(0),
            "{version:?}"
        );
    }
    let mut client = front.settings().connect(front.proxy.address, "app.example");
    assert_eq!(client.get("/"), 200);
    front.proxy.stop();
    assert_eq!(client.stream.read(&mut [0]).map_err(|error| error.kind()), Ok::<_, io::ErrorKind>(0));
}

#[test]
fn all_workers_resume_the_sessions_of_each() {
    let front = Front::start(&["--workers", "2"]);
    for version in [&version::TLS13, &version::TLS12] {
        let settings = TlsSettings::of(&front.secret.root, &[version], None);
        let mut clients: Vec<_> = (0..20).map(|_| settings.connect(front.proxy.address, "app.example")).collect();
        assert!(clients.iter_mut().all(|client| client.get("/") == 200));
        let resumed: Vec<_> = (0..20)
            .map(|_| {
                let mut client = settings.connect(front.proxy.address, "app.example");
                (client.get("/"), client.is_resumed())
            })
            .collect();
        assert!(resumed.iter().all(|client| *client == (200, true)), "{version:?}: {resumed:?}");
    }
    assert!(front.outcomes("resumed") >= 40);
}

#[test]
fn a_name_that_no_certificate_has_gets_the_first_one() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let other = secret.sign(&["*.other.example"], |_| ());
    fs::write(secret.path("other.crt"), &other.cert).unwrap();
    fs::write(secret.path("other.key"), &other.key).unwrap();
    let pair = |name: &str| {
        format!("{{cert: {}, key: {}}}", secret.text(&format!("{name}.crt")), secret.text(&format!("{name}.key")))
    };
    let (_directory, file) = harness::config_file(&format!(
        "listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  tls: {{certificates: [{}, {}]}}\n  routes:\n  \
         - upstream: '{}'\n",
        pair("tls"),
        pair("other"),
        upstream.url()
    ));
    let proxy = Proxy::run(&["--config", &file]);
    harness::http::until_status(proxy.health, "/readyz", 200);
    let settings = TlsSettings::new(&secret.root);
    assert_eq!(settings.connect(proxy.address, "a.other.example").fingerprint(), other.fingerprint());
    assert_ne!(settings.connect(proxy.address, "app.example").fingerprint(), other.fingerprint());
    // The client itself refuses the first certificate, because it is for another name.
    let refused = settings.try_connect(proxy.address, "unknown.example").map(drop).unwrap_err();
    assert!(matches!(endpoint::tls_error(&refused), Some(Error::InvalidCertificate(_))), "{refused:?}");
}

#[test]
fn handshakes_and_requests_are_counted_by_version() {
    let front = Front::start(&[]);
    let settings = |version| TlsSettings::of(&front.secret.root, &[version], None);
    let (old, new) = (settings(&version::TLS12), settings(&version::TLS13));
    for settings in [&old, &new, &new] {
        assert_eq!(settings.connect(front.proxy.address, "app.example").get("/"), 200);
    }
    let count = |version| front.handshakes("full", version) + front.handshakes("resumed", version);
    assert_eq!((count("1.2"), count("1.3")), (1, 2));
    let requests = |version: &str| {
        let labels = format!("listener=\"127.0.0.1:0\",network_protocol_version=\"{version}\"");
        front.proxy.metric(&format!("sidekit_proxy_requests_total{{{labels}}}"))
    };
    assert_eq!((requests("1.0"), requests("1.1"), requests("2")), (0, 3, 0));
}
