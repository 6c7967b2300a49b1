//! examples/compose/metrics-exporter: one page for nginx, the network that both share, and the volume.

use harness::{http, until};

use crate::{
    container::{inspect, log},
    engine::ask,
    main_app::is_hardened,
    project::Project,
};

const FILE: &str = "examples/compose/metrics-exporter/compose.yaml";

#[test]
fn the_page_of_the_example_has_the_apps_metrics_and_loses_no_other_when_the_app_hangs() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach", "--build"]);
    let [web, exporter] = ["web", "metrics-exporter"].map(|service| project.container(service));
    until("the engine says healthy", || (inspect(&exporter, "/State/Health/Status") == "healthy").then_some(()));
    is_hardened(&exporter, "65532");
    let page = page_with("nginx_connections{state=\"active\"} 1");
    for part in [
        "sidekit_metrics_exporter_source_up{source=\"app\"} 1",
        "node_network_receive_bytes_total{device=\"eth0\"} ",
        "mountpoint=\"/data\"",
        "container_memory_working_set_bytes",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }

    // Its processes stop, and its port still takes connections.
    ask(["pause", &web]);
    let page = page_with("sidekit_metrics_exporter_source_up{source=\"app\"} 0");
    assert!(!page.contains("nginx_connections"), "a value of the past:\n{page}");
    assert!(page.contains("node_network_receive_bytes_total{device=\"eth0\"} "), "{page}");
    ask(["unpause", &web]);
    page_with("nginx_connections{state=\"active\"} 1");

    project.compose(&["stop"]);
    assert_eq!(inspect(&exporter, "/State/ExitCode"), 0, "{}", log(&exporter));
}

/// The page, once it contains this
fn page_with(part: &str) -> String {
    until(&format!("the page has {part}"), || {
        let scrape = "GET /metrics HTTP/1.0\r\nHost: web\r\nX-Prometheus-Scrape-Timeout-Seconds: 2\r\n\r\n";
        let answer = http::try_raw(([127, 0, 0, 1], 9474).into(), scrape).ok()?;
        answer.body.contains(part).then_some(answer.body)
    })
}
