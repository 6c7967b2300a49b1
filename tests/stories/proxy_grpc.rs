//! gRPC in front of the app: a rollout under calls that stream both ways.

use e2e::{
    cluster::{Namespace, Profile},
    load::Protocol,
};

use crate::{
    examples::{changed, example},
    web_service::WebService,
};

/// Each lasts some seconds, so that many of them are there at any time.
const CALLS_A_SECOND: u32 = 20;

#[test]
fn restarts_fail_no_call_that_streams() {
    let namespace = Namespace::new("proxy-grpc", Profile::Restricted);
    let web = WebService::start_with(&namespace, &grpc(), &Protocol::Grpc);
    let load = web.load(CALLS_A_SECOND);
    for _ in 0..5 {
        web.restart();
    }
    web.scale(1);
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    assert!(outcome.sent > 100, "{outcome}");
}

/// The example with a gRPC server as the app, which hears no signal and so ends at the end of the grace period
fn grpc() -> String {
    let manifest = example("proxy.yaml");
    let manifest = changed(&manifest, "--upstream=http://127.0.0.1:8080", "--upstream=http://127.0.0.1:8080#http=2");
    let manifest = changed(&manifest, "nginxinc/nginx-unprivileged:1.29", "localhost/sidekit/test-grpc:0.1.0");
    let manifest =
        changed(&manifest, "            httpGet: { path: /, port: 8080 }\n", "            grpc: { port: 8080 }\n");
    // A call lasts longer than a request: the app serves on for it, also where a busy node tells the proxy late.
    let manifest = changed(&manifest, "sleep: { seconds: 10 }", "sleep: { seconds: 20 }");
    changed(&manifest, "      initContainers:\n", "      terminationGracePeriodSeconds: 24\n      initContainers:\n")
}
