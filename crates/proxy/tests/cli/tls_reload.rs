//! TLS that a new configuration changes, and clients that came before.

use std::{fs, net::SocketAddr};

use harness::until;

use crate::{
    certificates::Secret,
    client::header,
    reload::File,
    support::{OK, Proxy, Signal},
    tls_client::TlsSettings,
    upstream::Upstream,
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
