//! TLS in front of the app: rollouts under clients of HTTP/2, a certificate that is renewed, and the kubelet's probes.

use std::net::SocketAddr;

use e2e::{
    cluster::{Namespace, Profile},
    handshake::certificate_of,
    load::{Load, Protocol},
};
use harness::Authority;
use serde_json::json;

use crate::{
    examples::{changed, example},
    web_service::WebService,
};

const A_SECOND: u32 = 100;
const NAME: &str = "web";

#[test]
fn restarts_and_scalings_fail_no_request_over_tls_and_http2() {
    let namespace = Namespace::new("proxy-tls-rollout", Profile::Restricted);
    let authority = Authority::new();
    namespace.create(&secret(&authority));
    let protocol = Protocol::Http2 { authority: authority.certificate(), name: NAME.into() };
    let web = WebService::start_with(&namespace, &example("proxy-tls.yaml"), &protocol);
    let load = web.load(A_SECOND);
    for _ in 0..10 {
        web.restart();
    }
    web.scale(1);
    web.scale(3);
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    // One second a restart is less than any takes.
    assert!(outcome.sent > u64::from(A_SECOND) * 10, "{outcome}");
    for pod in namespace.pods("app=web") {
        assert_eq!(pod.container("proxy").unwrap().restarts(), 0, "{}", pod.name());
    }
}

#[test]
fn restarts_of_the_classic_pod_fail_no_request_over_tls_and_http2() {
    let namespace = Namespace::new("proxy-tls-classic", Profile::Restricted);
    let authority = Authority::new();
    namespace.create(&secret(&authority));
    let protocol = Protocol::Http2 { authority: authority.certificate(), name: NAME.into() };
    let web = WebService::start_with(&namespace, &example("proxy-tls-classic.yaml"), &protocol);
    let load = web.load(A_SECOND);
    for _ in 0..3 {
        web.restart();
    }
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    assert!(outcome.sent > 300, "{outcome}");
}

#[test]
fn a_renewed_certificate_is_shown_to_new_clients_and_drops_no_connection() {
    let namespace = Namespace::new("proxy-tls-renewal", Profile::Restricted);
    let authority = Authority::new();
    namespace.create(&secret(&authority));
    let protocol = Protocol::Http2 { authority: authority.certificate(), name: NAME.into() };
    let manifest = changed(&example("proxy-tls.yaml"), "replicas: 3", "replicas: 1");
    let web = WebService::start_with(&namespace, &manifest, &protocol);
    let shown = || certificate_of(web.address, &authority.certificate(), NAME).unwrap();
    let before = shown();
    let load = web.load(A_SECOND);
    namespace.replace(&secret(&authority));
    // The kubelet writes volumes again about once a minute, and at once when the pod itself changes.
    let pod = namespace.pods("app=web")[0].name().to_owned();
    let annotated = namespace.kubectl(["annotate", "pod", &pod, "sidekit.test/certificate=2"]).output().unwrap();
    assert!(annotated.status.success(), "{}", String::from_utf8_lossy(&annotated.stderr));
    namespace.until("a new client is shown the new certificate", || (shown() != before).then_some(()));
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    // As many as the clients open at their start: none was dropped.
    assert_eq!(outcome.connections, 6, "{outcome}");
}

#[test]
fn probes_pass_in_front_of_clients_that_need_certificates() {
    let namespace = Namespace::new("proxy-mtls-probes", Profile::Restricted);
    let authority = Authority::new();
    namespace.create(&secret(&authority));
    namespace.create(&authority_of_clients());
    namespace.create(&changed(&example("proxy-mtls.yaml"), "replicas: 3", "replicas: 1"));
    let (pod, ip) = namespace.until("the pod is ready by the app's own probe", || {
        let pods = namespace.pods("app=web");
        let pod = pods.first().filter(|pod| pod.is_ready())?;
        Some((pod.name().to_owned(), pod.ip()?))
    });
    let stranger = Protocol::Http2 { authority: authority.certificate(), name: NAME.into() };
    let outcome = Load::start_with(&stranger, SocketAddr::new(ip, 8443), 1).end();
    assert_eq!(outcome.failed, outcome.sent, "a client without a certificate was answered: {outcome}");

    namespace.shell(&pod, "nginx", "killall -STOP nginx").unwrap();
    namespace.until_pod(&pod, "the app's probe fails", |pod| (!pod.container("nginx")?.is_ready()).then_some(()));
    namespace.shell(&pod, "nginx", "killall -CONT nginx").unwrap();
    namespace.until_pod(&pod, "it is ready again", |pod| pod.is_ready().then_some(()));
}

/// The ConfigMap of the example, with an authority that vouches for no client of the story
fn authority_of_clients() -> String {
    let data = json!({ "ca.crt": Authority::new().certificate() });
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web-clients" }, "data": data }).to_string()
}

/// The Secret of the example, with a new certificate of this authority
fn secret(authority: &Authority) -> String {
    let identity = authority.identity(NAME);
    let data = json!({ "tls.crt": identity.certificate, "tls.key": identity.key, "ca.crt": authority.certificate() });
    let metadata = json!({ "name": "web-tls" });
    json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "stringData": data })
        .to_string()
}
