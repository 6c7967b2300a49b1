//! TLS with clients: which certificate they get, and certificates that are replaced while the proxy runs.

use std::fs;

use harness::until;
use rcgen::date_time_ymd;

use crate::{
    certificates::Secret,
    client::header,
    support::{OK, Proxy, Signal},
    tls_client::TlsSettings,
    upstream::Upstream,
};

/// A proxy that shows the certificate of this directory
fn start(upstream: &Upstream, secret: &Secret, more: &[&str]) -> Proxy {
    let arguments = secret.arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Proxy::start(upstream, &arguments)
}

/// The metric of the end of a certificate for `app.example`, by its fingerprint
fn not_after(proxy: &Proxy, fingerprint: &str) -> Option<String> {
    let page = harness::http::get(proxy.health, "/metrics").body;
    let line = page.lines().find(|line| {
        let is_of_app = line.contains("name=\"app.example\"");
        line.starts_with("sidekit_proxy_certificate_not_after_timestamp_seconds{")
            && line.contains(fingerprint)
            && is_of_app
    })?;
    Some(line.rsplit_once(' ').unwrap().1.to_owned())
}

#[test]
fn a_certificate_is_replaced_without_an_end_of_a_connection() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::new());
    let signed = |year| secret.sign(&["app.example"], |params| params.not_after = date_time_ymd(year, 1, 1));
    let (first, second) = (signed(2051), signed(2052));
    secret.publish("..1", &first);
    let mut proxy = start(&upstream, &secret, &[]);
    harness::http::until_status(proxy.health, "/readyz", 200);
    let settings = TlsSettings::new(&secret.root);
    let mut before = settings.connect(proxy.address, "app.example");
    assert_eq!((before.get("/"), before.fingerprint()), (200, first.fingerprint()));
    let request = upstream.requests().last().cloned().unwrap();
    assert_eq!(header(&request, "x-forwarded-proto"), Some("https"), "{request}");
    assert!(header(&request, "forwarded").unwrap().contains("proto=https"), "{request}");
    assert_eq!(not_after(&proxy, &first.fingerprint()).as_deref(), Some("2556144000"));
    // The key is replaced later than the certificate: until then the former pair is in force.
    fs::write(secret.path("..1/tls.crt"), &second.cert).unwrap();
    proxy.program.wait_for_message("a file cannot be used; its former content stays in use");
    until("the fault is counted", || (proxy.metric("sidekit_proxy_certificate_faults_total") == 1).then_some(()));
    assert_eq!(TlsSettings::new(&secret.root).connect(proxy.address, "app.example").fingerprint(), first.fingerprint());
    fs::write(secret.path("..1/tls.key"), &second.key).unwrap();
    let line = proxy.program.wait_for_message("the files of a fault can be used again");
    assert!(line["former"].as_str().unwrap().contains("is not the key of the first certificate"), "{line:?}");
    until("the new certificate is shown", || {
        let client = TlsSettings::new(&secret.root).connect(proxy.address, "app.example");
        (client.fingerprint() == second.fingerprint()).then_some(())
    });
    until("its series has taken the place of the former one", || {
        let is_there = not_after(&proxy, &second.fingerprint()).as_deref() == Some("2587680000");
        (is_there && not_after(&proxy, &first.fingerprint()).is_none()).then_some(())
    });
    // Both files at once, as the kubelet does it; SIGHUP asks for a look at once.
    let third = signed(2053);
    secret.publish("..3", &third);
    proxy.program.signal(Signal::HUP);
    until("the third certificate is shown", || {
        let client = TlsSettings::new(&secret.root).connect(proxy.address, "app.example");
        (client.fingerprint() == third.fingerprint()).then_some(())
    });
    assert_eq!(before.get("/"), 200);
    assert!(settings.connect(proxy.address, "app.example").is_resumed());
    assert_eq!(proxy.metric("sidekit_proxy_certificate_faults_total"), 1);
    drop(before);
    let ended = proxy.stop();
    let key = first.key.lines().nth(1).unwrap();
    assert!(!ended.everything().contains(key), "{ended:#?}");
}

#[test]
fn a_certificate_that_is_not_there_yet_holds_back_readiness_and_connections() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::new());
    let proxy = start(&upstream, &secret, &[]);
    harness::http::until_status(proxy.health, "/startupz", 200);
    let ready = harness::http::get(proxy.health, "/readyz");
    assert!(ready.status == 503 && ready.body.contains("certificate failed: cannot read"), "{ready:?}");
    let settings = TlsSettings::new(&secret.root);
    assert!(settings.try_connect(proxy.address, "app.example").is_err());
    let signed = secret.sign(&["app.example"], |params| params.not_after = date_time_ymd(2051, 1, 1));
    secret.publish("..1", &signed);
    harness::http::until_status(proxy.health, "/readyz", 200);
    assert_eq!(settings.connect(proxy.address, "app.example").get("/"), 200);
    let ended = proxy.stop();
    let message = "the certificates of a listener are not there: its connections are refused";
    assert_eq!(ended.messages(message).len(), 1, "{ended:#?}");
    let told = ended.messages("a certificate is in force");
    assert_eq!((told.len(), &told[0]["not-after"]), (1, &"2051-01-01T00:00:00Z".into()), "{ended:#?}");
}
