//! token-refresher with an OAuth issuer: the token is there before the app, fresh for as long as the pod lives, and read by the app alone.

use std::net::SocketAddr;

use e2e::cluster::{Namespace, Profile};
use harness::http;

use crate::{
    examples::{changed, example},
    issuer::Issuer,
};

#[test]
fn proxy_sends_no_request_with_an_expired_token_although_the_issuer_is_away_in_between() {
    let namespace = Namespace::new("token-proxy", Profile::Restricted);
    let issuer = Issuer::start(&namespace, 20);
    // Half of the life is left for the outage, also on a busy node.
    let manifest =
        changed(&example("token-refresher.yaml"), "on-expired: delete", "on-expired: delete\n        refresh-at: 0.5");
    namespace.create(&changed(&manifest, "sleep 5 & wait $!", "sleep 0.1"));
    issuer.until_count("/requests/valid", 1);

    issuer.tell("away");
    let (asked, tokens) = (issuer.count("/grants_asked"), issuer.count("/tokens"));
    issuer.until_count("/grants_asked", asked + 1);
    issuer.tell("grant");
    issuer.until_count("/tokens", tokens + 2);
    issuer.until_count("/requests/valid", issuer.count("/requests/valid") + 10);
    assert_eq!((issuer.count("/requests/expired"), issuer.count("/requests/without")), (0, 0));

    // An outage that is longer than the life
    issuer.tell("away");
    let pod = namespace.pod("main-app");
    let health = SocketAddr::new(pod.ip().unwrap(), 9473);
    namespace.until("the token has expired", || {
        http::get(health, "/readyz?verbose").body.contains("ok: expired").then_some(())
    });
    // It takes up to five seconds, in which the app goes on asking.
    issuer.until_count("/grants_asked", issuer.count("/grants_asked") + 1);
    let valid = issuer.count("/requests/valid");
    issuer.tell("grant");
    issuer.until_count("/requests/valid", valid + 10);
    assert_eq!((issuer.count("/requests/expired"), issuer.count("/requests/without")), (0, 0));
    let pod = namespace.pod("main-app");
    for container in ["token-refresher", "proxy", "main-app"] {
        assert_eq!(pod.container(container).unwrap().restarts(), 0, "{container}");
    }
}

#[test]
fn a_pod_whose_issuer_is_gone_for_longer_than_a_token_lives_says_so_and_comes_back() {
    let namespace = Namespace::new("token-outage", Profile::Restricted);
    let issuer = Issuer::start(&namespace, 5);
    namespace.create(&changed(&example("token-refresher.yaml"), "on-expired: delete", "on-expired: unready"));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));

    namespace.delete("pod/issuer");
    namespace.until_pod("main-app", "its token has expired", |pod| {
        (!pod.container("token-refresher")?.is_ready()).then_some(())
    });
    let ip = namespace.pod("main-app").ip().unwrap();
    let checks = http::get(SocketAddr::new(ip, 9473), "/readyz?verbose").body;
    let line = checks.lines().find(|line| line.starts_with("[-]")).unwrap_or_else(|| panic!("{checks}"));
    assert!(line.contains("api") && line.contains("expired"), "{checks}");
    issuer.start_pod(5);
    namespace.until_pod("main-app", "it is ready again", |pod| pod.is_ready().then_some(()));
    assert_eq!(namespace.pod("main-app").container("token-refresher").unwrap().restarts(), 0);
}

#[test]
fn the_pods_of_the_examples_send_tokens_of_the_issuer_of_the_examples() {
    let namespace = Namespace::new("example-token", Profile::Restricted);
    namespace.create(&example("issuer.yaml"));
    for file in ["token-refresher.yaml", "token-refresher-classic.yaml"] {
        namespace.create(&example(file));
        namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
        let answer = namespace.until_log("main-app", "main-app", "authorization");
        assert!(answer.contains("Bearer "), "{file}: {answer}");
        let pod = namespace.pod("main-app");
        let restarts = pod.container("token-refresher").unwrap().restarts();
        assert_eq!(restarts, 0, "{file}");
        namespace.kubectl(["delete", "pod/main-app", "configmap/token-refresher", "secret/client"]).output().unwrap();
    }
}
