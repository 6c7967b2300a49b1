//! TLS that a new configuration changes, and clients that came before.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
};

use harness::until;
use serde_json::Value;

use crate::{
    certificates::Secret,
    client::header,
    reload::File,
    support::{OK, Proxy, Signal},
    tls_client::TlsSettings,
    upstream::Upstream,
    websocket::{CHANGED, GOING_AWAY, WISH, chat, masked, open, plain},
};

/// The configuration of one listener, with these lines as its TLS
fn text(address: SocketAddr, tls: &str, upstream: &Upstream) -> String {
    format!(
        "listeners:\n- address: '{address}'\n  direction: inbound\n{tls}  routes:\n  - upstream: '{}'\n",
        upstream.url()
    )
}

fn tls(secret: &Secret, more: &str) -> String {
    let (cert, key) = (secret.text("tls.crt"), secret.text("tls.key"));
    format!("  tls:\n    certificates:\n    - {{cert: {cert}, key: {key}}}\n{more}")
}

fn start(upstream: &Upstream, secret: &Secret, more: &str) -> (Proxy, File, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let file = File::new(&text(address, &tls(secret, more), upstream));
    (Proxy::run(&["--config", &file.path]), file, address)
}

#[test]
fn clients_that_proved_less_than_a_new_one_must_are_sent_away() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let (proxy, file, address) = start(&upstream, &secret, "");
    let settings = TlsSettings::new(&secret.root);
    let mut anonymous = settings.connect(proxy.address, "app.example");
    assert_eq!(anonymous.get("/"), 200);
    let client_ca = format!("    client-ca: {}\n", secret.text("ca.crt"));
    proxy.reload(&file, &text(address, &tls(&secret, &client_ca), &upstream));
    // One answer more, which ends the connection.
    assert_eq!(anonymous.get("/"), 200);
    assert!(anonymous.try_get("/").is_err());
    let refused = settings.try_connect(proxy.address, "app.example").and_then(|mut client| client.try_get("/"));
    assert!(refused.is_err(), "{refused:?}");
    // The same goes for authorities that change in their file, and not for a certificate of the listener's own.
    let identity = secret.sign(&["client.example"], |_| ());
    let known = TlsSettings::of(&secret.root, rustls::ALL_VERSIONS, Some(&identity));
    let mut client = known.connect(proxy.address, "app.example");
    let fresh = secret.sign(&["app.example"], |_| ());
    secret.publish("..2", &fresh);
    proxy.program.signal(Signal::HUP);
    until("the new certificate is shown", || {
        (known.connect(proxy.address, "app.example").fingerprint() == fresh.fingerprint()).then_some(())
    });
    assert_eq!((client.get("/"), client.get("/")), (200, 200));
    let other = Secret::with(&[]);
    fs::copy(other.path("ca.crt"), secret.path("..2/ca.crt")).unwrap();
    proxy.program.signal(Signal::HUP);
    until("the client is no longer known", || {
        known
            .try_connect(proxy.address, "app.example")
            .and_then(|mut client| client.try_get("/"))
            .is_err()
            .then_some(())
    });
    assert_eq!(client.get("/"), 200);
    assert!(client.try_get("/").is_err());
    proxy.stop();
}

#[test]
fn a_file_without_an_authority_locks_no_client_out() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let (shown, ca) = (secret.arguments(), secret.text("ca.crt"));
    let shown = shown.each_ref().map(String::as_str);
    let mut proxy = Proxy::start(&upstream, &[&shown[..], &["--client-ca", &ca]].concat());
    let identity = secret.sign(&["client.example"], |_| ());
    let known = || TlsSettings::of(&secret.root, rustls::ALL_VERSIONS, Some(&identity));
    harness::http::until_status(proxy.health, "/readyz", 200);
    fs::write(&ca, &identity.cert).unwrap();
    proxy.program.signal(Signal::HUP);
    let line = proxy.program.wait_for_message("a file cannot be used; its former content stays in use");
    assert!(line["reason"].as_str().unwrap().contains("is no authority's"), "{line:?}");
    assert_eq!(known().connect(proxy.address, "app.example").get("/"), 200);
    until("the fault is counted", || (proxy.metric("sidekit_proxy_certificate_faults_total") == 1).then_some(()));
    let other = fs::read_to_string(Secret::with(&[]).path("ca.crt")).unwrap();
    fs::write(&ca, other.clone() + &other).unwrap();
    proxy.program.signal(Signal::HUP);
    let message = "authorities for clients are in force";
    assert_eq!(proxy.program.wait_for_message(message)["count"], 2);
    let ended = proxy.stop();
    let [first, second] = ended.messages(message).try_into().unwrap();
    assert!(first["file"] == ca && second["file"] == ca && first["count"] == 1, "{first:?} {second:?}");
}

#[test]
fn a_reload_logs_only_certificates_that_change() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let (proxy, file, address) = start(&upstream, &secret, "");
    let client_ca = format!("    client-ca: {}\n", secret.text("ca.crt"));
    for more in [client_ca.clone(), client_ca + "    client-auth: optional\n"] {
        proxy.reload(&file, &text(address, &tls(&secret, &more), &upstream));
    }
    let ended = proxy.stop();
    let lines = ended.messages("a certificate is in force");
    assert!(lines.len() == 1 && lines[0]["not-after"].is_string(), "{lines:?}");
    assert_eq!(ended.messages("authorities for clients are in force").len(), 1);
}

#[test]
fn a_client_without_tls_is_sent_away_when_its_listener_begins_to_speak_tls() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let file = File::new(&text(address, "", &upstream));
    let proxy = Proxy::run(&["--config", &file.path]);
    let mut plain = proxy.client();
    assert_eq!(header(&plain.get("/").head, "connection"), None);
    proxy.reload(&file, &text(address, &tls(&secret, ""), &upstream));
    assert_eq!(header(&plain.get("/").head, "connection"), Some("close"));
    assert_eq!(TlsSettings::new(&secret.root).connect(proxy.address, "app.example").get("/"), 200);
    proxy.stop();
}

/// Answers `/chat` with a WebSocket, `/other` with a protocol that the proxy does not know, and all
/// else with a stream of events.
fn lasting() -> Upstream {
    Upstream::start(|connection| match connection.request() {
        Some(request) if request.starts_with("GET /chat ") => {
            connection.write(CHANGED);
            assert_eq!(chat(connection).as_deref(), Some(&GOING_AWAY[2..]));
        }
        Some(request) if request.starts_with("GET /other ") => {
            connection.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
            assert_eq!(connection.request(), None, "the proxy ends the tunnel");
        }
        _ => {
            connection
                .write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            connection.write("9\r\ndata: 1\n\n\r\n");
            assert_eq!(connection.request(), None, "the proxy ends the stream");
        }
    })
}

#[test]
fn what_lasts_ends_for_clients_of_former_authorities() {
    let (upstream, secret) = (lasting(), Secret::with(&["app.example"]));
    let (shown, ca) = (secret.arguments(), secret.text("ca.crt"));
    let shown = shown.each_ref().map(String::as_str);
    let proxy = Proxy::start(&upstream, &[&shown[..], &["--client-ca", &ca, "--access-log", "json"]].concat());
    let identity = secret.sign(&["client.example"], |_| ());
    let known = TlsSettings::of(&secret.root, rustls::ALL_VERSIONS, Some(&identity));
    harness::http::until_status(proxy.health, "/readyz", 200);
    let other = "GET /other HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    let asks = [(WISH, 101), (other, 101), ("GET /events HTTP/1.1\r\nHost: app\r\n\r\n", 200)];
    let [mut websocket, mut other, mut events] = asks.map(|(request, status)| {
        let mut client = known.connect(proxy.address, "app.example");
        assert_eq!(client.ask(request).unwrap(), status);
        client
    });
    assert_eq!(events.raw(14), b"9\r\ndata: 1\n\n\r\n");
    // A certificate of the listener's own is no reason to leave.
    secret.publish("..2", &secret.sign(&["app.example"], |_| ()));
    proxy.program.signal(Signal::HUP);
    websocket.stream.write_all(&masked(1, b"hi")).unwrap();
    assert_eq!(websocket.raw(4), plain(1, b"hi"));
    fs::copy(Secret::with(&[]).path("ca.crt"), secret.path("..2/ca.crt")).unwrap();
    proxy.program.signal(Signal::HUP);
    assert_eq!(websocket.raw(4), GOING_AWAY);
    websocket.stream.write_all(&masked(8, &GOING_AWAY[2..])).unwrap();
    websocket.stream.conn.send_close_notify();
    websocket.stream.flush().unwrap();
    assert_eq!(other.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(events.raw(5), b"0\r\n\r\n");
    upstream.wait_for_closed(3);
    drop((websocket, other, events));
    let ended = proxy.stop();
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (path, fault) in [("/chat", Value::Null), ("/other", "sent-away".into()), ("/events", Value::Null)] {
        let line = lines.iter().find(|line| line["url.path"] == path).unwrap();
        assert_eq!(line["error.type"], fault, "{line}");
    }
}

#[test]
fn a_websocket_without_tls_ends_when_its_listener_begins_to_speak_tls() {
    let (upstream, secret) = (lasting(), Secret::with(&["app.example"]));
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let file = File::new(&text(address, "", &upstream));
    let proxy = Proxy::run(&["--config", &file.path]);
    let mut client = open(proxy.client());
    proxy.reload(&file, &text(address, &tls(&secret, ""), &upstream));
    assert_eq!(client.raw(4), GOING_AWAY);
    client.send(masked(8, &GOING_AWAY[2..]));
    assert!(client.is_closed());
    upstream.wait_for_closed(1);
}

#[test]
fn a_configuration_whose_certificate_is_not_there_yet_waits_for_it() {
    let (upstream, secret, later) = (Upstream::answering(OK), Secret::with(&["app.example"]), Secret::new());
    let (mut proxy, file, address) = start(&upstream, &secret, "");
    let settings = TlsSettings::new(&secret.root);
    assert_eq!(settings.connect(proxy.address, "app.example").get("/"), 200);
    file.write(&text(address, &tls(&later, ""), &upstream));
    until("the file is refused", || (proxy.reloads(&file.path, "refused") == 1).then_some(()));
    assert_eq!(settings.connect(proxy.address, "app.example").get("/"), 200);
    assert_eq!(harness::http::get(proxy.health, "/readyz").status, 200);
    later.publish("..1", &later.sign(&["app.example"], |_| ()));
    proxy.program.signal(Signal::HUP);
    proxy.program.wait_for_message("new configuration in force");
    assert_eq!(TlsSettings::new(&later.root).connect(proxy.address, "app.example").get("/"), 200);
    let ended = proxy.stop();
    let why = "cannot read";
    assert!(ended.everything().contains(why), "{ended:#?}");
    assert!(ended.messages("the certificates of a listener are not there: its connections are refused").is_empty());
}
