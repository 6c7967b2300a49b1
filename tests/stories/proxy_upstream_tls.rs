//! TLS on the app's way out, with an authority of its own and a token.

use e2e::cluster::{Namespace, Profile};
use harness::Authority;
use serde_json::json;

use crate::examples::example;

#[test]
fn the_app_of_the_example_reaches_its_api_by_tls_with_a_token() {
    let namespace = Namespace::new("proxy-upstream-tls", Profile::Restricted);
    let authority = Authority::new();
    let identity = authority.identity("api-tls");
    let data = json!({ "tls.crt": identity.certificate, "tls.key": identity.key });
    namespace.create(&object("Secret", "api-tls", "stringData", &data));
    namespace.create(&object("ConfigMap", "api-ca", "data", &json!({ "ca.crt": authority.certificate() })));
    namespace.create(&example("issuer.yaml"));
    namespace.create(&example("api-tls.yaml"));
    namespace.create(&example("proxy-upstream-tls.yaml"));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
    let answer = namespace.until_log("main-app", "main-app", "authorization");
    assert!(answer.contains("Bearer "), "{answer}");
    assert_eq!(namespace.pod("main-app").container("proxy").unwrap().restarts(), 0);
}

fn object(kind: &str, name: &str, key: &str, data: &serde_json::Value) -> String {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name }, key: data }).to_string()
}
