//! TLS on the app's way out, with an authority of its own and a token.

use e2e::cluster::{Namespace, Profile};
use harness::Authority;
use serde_json::json;

use crate::examples::{changed, example};

#[test]
fn the_app_of_the_example_reaches_its_api_by_tls_with_a_token() {
    let namespace = Namespace::new("proxy-upstream-tls", Profile::Restricted);
    let authority = Authority::new();
    let identity = authority.identity("api");
    let data = json!({ "tls.crt": identity.certificate, "tls.key": identity.key });
    namespace.create(&object("Secret", "api-tls", "stringData", &data));
    namespace.create(&object("ConfigMap", "api-ca", "data", &json!({ "ca.crt": authority.certificate() })));
    namespace.create(&api_with_tls());
    namespace.create(&example("proxy-upstream-tls.yaml"));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
    let answer = namespace.until_log("main-app", "main-app", "authorization");
    assert!(answer.contains("Bearer "), "{answer}");
    assert_eq!(namespace.pod("main-app").container("proxy").unwrap().restarts(), 0);
}

/// The issuer and the API of the examples; the API listens for TLS too.
fn api_with_tls() -> String {
    const TLS: &str = "        listen 8443 ssl;
        ssl_certificate /etc/tls/tls.crt;
        ssl_certificate_key /etc/tls/tls.key;
";
    let listen = "        listen 8080;\n";
    let manifest = changed(&example("issuer.yaml"), listen, &format!("{listen}{TLS}"));
    let port = "    - { name: http, port: 8080 }\n---\napiVersion: v1\nkind: ConfigMap\n";
    let both = port.replace("---", "    - { name: https, port: 8443 }\n---");
    let manifest = changed(&manifest, port, &both);
    let mount = "        - { name: tmp, mountPath: /tmp }\n";
    let manifest = changed(&manifest, mount, &format!("{mount}        - {{ name: tls, mountPath: /etc/tls }}\n"));
    let volumes = "  volumes:\n";
    changed(&manifest, volumes, &format!("{volumes}    - name: tls\n      secret: {{ secretName: api-tls }}\n"))
}

fn object(kind: &str, name: &str, key: &str, data: &serde_json::Value) -> String {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name }, key: data }).to_string()
}
