//! token-refresher with `OpenBao`, which asks the API server about the pod's token.

use std::net::SocketAddr;

use e2e::cluster::{Namespace, Profile};
use harness::http;

use crate::{
    examples::{changed, example},
    issuer::Issuer,
    openbao::OpenBao,
};

const EXAMPLE: &str = "token-refresher-vault.yaml";

#[test]
fn the_secret_reaches_the_app_before_its_start_and_each_change_by_a_signal() {
    let namespace = Namespace::new("vault-signal", Profile::Restricted);
    let store = OpenBao::start(&namespace);
    let manifest = changed(&example(EXAMPLE), "refresh-every: 1m", SIGNAL);
    // The kernel lets only the same user signal a process.
    let manifest = changed(&manifest, "runAsUser: 1000", "runAsUser: 65532");
    namespace.create(&changed(
        &manifest,
        "  serviceAccountName:",
        "  shareProcessNamespace: true\n  serviceAccountName:",
    ));
    let first = namespace.until_log("main-app", "main-app", "password");
    assert_eq!(first, "user app, password of 5 bytes");

    store.put("second");
    namespace.until_log("main-app", "main-app", "user app, password of 6 bytes");
    let pod = namespace.pod("main-app");
    for container in ["token-refresher", "main-app"] {
        assert_eq!(pod.container(container).unwrap().restarts(), 0, "{container}");
    }
}

#[test]
fn the_sidecar_adopts_what_the_init_container_wrote_and_only_the_app_reads_it() {
    let namespace = Namespace::new("adopted", Profile::Restricted);
    // Longer than the story
    let issuer = Issuer::start(&namespace, 3600);
    let manifest = changed(&with_oauth(&example(EXAMPLE)), "  volumes:\n", &format!("{STRANGER}  volumes:\n"));
    namespace.create(&manifest);
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
    let pod = namespace.pod("main-app");
    let first = pod.ended("first-secrets").unwrap();
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!((issuer.count("/grants_asked"), issuer.count("/tokens")), (1, 1), "the sidecar has logged in again");

    let token = namespace.shell("main-app", "main-app", "cat /run/secrets/app/db/password").unwrap();
    assert!(token.starts_with("test-token-1-"), "{token}");
    let refused = namespace.shell("main-app", "stranger", "cat /run/secrets/app/db/password").unwrap_err();
    assert!(refused.contains("Permission denied"), "{refused}");
    let replaced = namespace.shell("main-app", "stranger", "echo >/run/secrets/app/db/x || rm -rf /run/secrets/app/db");
    assert!(replaced.unwrap_err().contains("db"), "another user changed the files");
}

#[test]
fn an_app_never_starts_without_its_token() {
    let namespace = Namespace::new("no-token", Profile::Restricted);
    let issuer = Issuer::start(&namespace, 3600);
    issuer.tell("away");
    namespace.create(&with_oauth(&example(EXAMPLE)));
    issuer.until_count("/grants_asked", 2);
    let pod = namespace.pod("main-app");
    assert!(pod.container("first-secrets").unwrap().running_since().is_some(), "the task has given up");
    assert!(pod.container("main-app").unwrap().running_since().is_none(), "the app runs without its token");
    issuer.tell("grant");
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
}

#[test]
fn a_service_account_that_loses_its_right_is_77_for_the_task_and_unready_for_the_sidecar_until_it_is_back() {
    let namespace = Namespace::new("lost-right", Profile::Restricted);
    let store = OpenBao::start(&namespace);
    store.role("main-app", "token_ttl=6s token_max_ttl=6s");
    let manifest = with_login(&example(EXAMPLE));
    namespace.create(&manifest);
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));

    store.role("somebody-else", "token_ttl=6s token_max_ttl=6s");
    let line = namespace.until("the sidecar is unready", || failed_check(&namespace));
    assert!(line.contains("db") && line.contains("expired"), "{line}");
    namespace.until_pod("main-app", "the kubelet calls it unready", |pod| (!pod.is_ready()).then_some(()));
    let (_, pod) = manifest.split_once("apiVersion: v1\nkind: Pod\n").unwrap();
    let task = changed(pod, "  name: main-app\n  labels:", "  name: task\n  labels:");
    namespace.create(&format!("apiVersion: v1\nkind: Pod\n{task}"));
    let end = namespace.until_pod("task", "its task has ended", |pod| {
        let container = pod.container("first-secrets")?;
        container.ended().or_else(|| container.previous_end())
    });
    assert_eq!(end.code, 77, "{end:?}");
    assert!(end.message.starts_with("code=77 reason=denied "), "{end:?}");

    store.role("main-app", "token_ttl=6s token_max_ttl=6s");
    for name in ["main-app", "task"] {
        namespace.until_pod(name, "it is ready", |pod| pod.is_ready().then_some(()));
    }
    assert_eq!(namespace.pod("main-app").container("token-refresher").unwrap().restarts(), 0);
}

/// The check that `/readyz` of the sidecar names as failed
fn failed_check(namespace: &Namespace) -> Option<String> {
    let ip = namespace.pod("main-app").ip()?;
    let answer = http::try_get(SocketAddr::new(ip, 9473), "/readyz?verbose").ok()?;
    answer.body.lines().find(|line| line.starts_with("[-]")).map(str::to_owned)
}

/// The example with a login in place of the secret, unready once it has expired
fn with_login(manifest: &str) -> String {
    let manifest = changed(manifest, "          vault-kv:\n", "          vault-login:\n");
    let manifest = changed(&manifest, "            path: secret/app\n", "");
    let manifest = changed(&manifest, "refresh-every: 1m", "on-expired: unready");
    let manifest = changed(&manifest, "              - { name: username, value: username }\n", "");
    changed(&manifest, "value: password", "value: token")
}

/// The example with the token of an issuer in place of the secret
fn with_oauth(manifest: &str) -> String {
    let (before, rest) = manifest.split_once("          vault-kv:\n").unwrap();
    let (_, after) = rest.split_once("        refresh-every: 1m\n").unwrap();
    let manifest = format!("{before}{OAUTH}{after}");
    let manifest = changed(&manifest, "              - { name: username, value: username }\n", "");
    let manifest = changed(&manifest, "value: password", "value: access_token");
    // Of the story only, on the volume of the settings
    changed(&manifest, "\ndata:\n", "\ndata:\n  client-secret: not-a-secret\n")
}

const SIGNAL: &str = "refresh-every: 1s
        tell: [{ signal: HUP, process: sh }]";

const OAUTH: &str = "          oauth2:
            issuer: http://issuer:8080
            insecure-http: true
            client-id: app
            client-secret: { file: /etc/token-refresher/client-secret }
";

/// Another user and group, in the same pod and with the same volume
const STRANGER: &str = r#"    - name: stranger
      image: busybox:1.36
      command: ["sleep", "3600"]
      securityContext: { runAsUser: 1001, runAsGroup: 1001, allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
      volumeMounts: [{ name: secrets, mountPath: /run/secrets/app }]
"#;
