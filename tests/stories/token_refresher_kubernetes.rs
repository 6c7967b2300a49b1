//! token-refresher at the real API server: a token with an audience and a life of its own, and a right that is lost.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::cluster::{Namespace, Profile};
use serde_json::{Value, json};

use crate::examples::{changed, example};

const EXAMPLE: &str = "token-refresher-kubernetes.yaml";

#[test]
fn the_api_server_gives_a_token_with_an_audience_and_a_life_of_ten_minutes() {
    let namespace = Namespace::new("token-request", Profile::Restricted);
    namespace.create(&example(EXAMPLE));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
    let token = namespace.shell("main-app", "main-app", "cat /run/tokens/api").unwrap();
    let claims = claims(&token);
    assert_eq!(claims["aud"], json!(["api"]), "{claims}");
    assert_eq!(claims["sub"], format!("system:serviceaccount:{}:main-app", namespace.name()), "{claims}");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600, "{claims}");
}

#[test]
fn a_task_without_the_right_ends_with_77_and_names_what_is_missing() {
    let namespace = Namespace::new("no-right", Profile::Restricted);
    let task = changed(&example(EXAMPLE), r#"secrets.yaml"]"#, r#"secrets.yaml", "--once"]"#);
    let (_, probes) = task.split_once("      startupProbe:\n").unwrap();
    let (probes, _) = probes.split_once("      securityContext:\n").unwrap();
    let task = changed(&task, &format!("      startupProbe:\n{probes}"), "");
    let task = changed(&task, "      restartPolicy: Always\n", "");
    let task = changed(&task, "  serviceAccountName:", "  restartPolicy: Never\n  serviceAccountName:");
    namespace.create(&changed(&task, "kind: ServiceAccount, name: main-app", "kind: ServiceAccount, name: another"));
    let end = namespace.until_pod("main-app", "the task has ended", |pod| pod.ended("token-refresher"));
    assert_eq!(end.code, 77, "{end:?}");
    assert!(end.message.contains("serviceaccounts/token"), "{end:?}");
    let pod = namespace.pod("main-app");
    assert!(pod.container("main-app").unwrap().running_since().is_none(), "the app runs without its token");
}

/// What a JWT says
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_else(|| panic!("no JWT: {token}"));
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
