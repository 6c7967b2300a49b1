//! Rollouts of the Deployments in the examples, under clients whose requests start by a clock, and the same with the app alone.
//!
//! Tests start in the order of their names, and this name lets the longest of all stories start among the first.

use e2e::cluster::{Namespace, Profile};

use crate::{
    examples::{changed, example},
    web_service::WebService,
};

const A_SECOND: u32 = 100;
const RESTARTS: usize = 50;
const SCALINGS: usize = 10;

#[test]
fn fifty_restarts_and_ten_scalings_fail_no_request() {
    let namespace = Namespace::new("proxy-rollout", Profile::Restricted);
    let web = WebService::start(&namespace, &example("proxy.yaml"));
    let load = web.load(A_SECOND);
    for restart in 1..=RESTARTS {
        web.restart();
        if restart % (RESTARTS / SCALINGS) == 0 {
            web.scale(1);
            web.scale(3);
        }
    }
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    // One second a restart is less than any takes.
    assert!(outcome.sent > u64::from(A_SECOND) * RESTARTS as u64, "{outcome}");
    for pod in namespace.pods("app=web") {
        let proxy = pod.container("proxy").unwrap();
        assert_eq!(proxy.restarts(), 0, "{}: {:?}", pod.name(), proxy.previous_end());
    }
}

#[test]
fn restarts_of_the_classic_pod_fail_no_request() {
    let namespace = Namespace::new("proxy-classic", Profile::Restricted);
    let web = WebService::start(&namespace, &example("proxy-classic.yaml"));
    let load = web.load(A_SECOND);
    for _ in 0..5 {
        web.restart();
    }
    web.scale(1);
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    assert!(outcome.sent > 500, "{outcome}");
}

#[test]
fn restarts_of_the_app_alone_fail_requests() {
    let namespace = Namespace::new("app-alone", Profile::Restricted);
    let web = WebService::start(&namespace, &app_alone());
    let load = web.load(A_SECOND);
    for _ in 0..5 {
        web.restart();
    }
    let outcome = load.end();
    assert!(outcome.failed > 0, "a rollout that fails nothing by itself proves nothing about the proxy: {outcome}");
}

/// The example without its proxy and without the app's pause, which is there for the proxy
fn app_alone() -> String {
    let manifest = example("proxy.yaml");
    let (before, proxy) = manifest.split_once("      initContainers:\n").unwrap();
    let (_, app) = proxy.split_once("      containers:\n").unwrap();
    let manifest = format!("{before}      containers:\n{app}");
    let without_pause = changed(&manifest, "          lifecycle: { preStop: { sleep: { seconds: 10 } } }\n", "");
    changed(&without_pause, "targetPort: proxy", "targetPort: 8080")
}
