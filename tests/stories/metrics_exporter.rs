//! The pod with one page: what Prometheus finds there, what is left of it when a source dies, and what it says of its container.

use std::net::SocketAddr;

use e2e::cluster::{Namespace, Profile};
use harness::http;

use crate::{
    examples::{changed, example},
    prometheus::Prometheus,
};

/// The port of metrics-exporter's page
const PORT: u16 = 9474;
/// A source that ends on request
const STOCK: &str = r#"
    - name: stock
      image: localhost/sidekit/test-app:0.1.0
      args: ["0.0.0.0:8081", "stock"]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
  volumes:
    - name: sources
"#;

#[test]
fn prometheus_finds_one_page_for_all_containers_and_a_source_that_dies_costs_its_own_series_only() {
    let namespace = Namespace::new("one-page", Profile::Restricted);
    for file in ["collector.yaml", "prometheus.yaml"] {
        namespace.create(&example(file));
    }
    let manifest = changed(
        &example("metrics-exporter-config.yaml"),
        "    scrape:\n",
        "    scrape:\n      - { url: http://127.0.0.1:8081/, name: stock }\n",
    );
    let manifest = changed(&manifest, "spec:\n  securityContext", "spec:\n  restartPolicy: Never\n  securityContext");
    namespace.create(&changed(&manifest, "\n  volumes:\n    - name: sources\n", STOCK));
    namespace.until_pod("web", "it is ready", |pod| pod.is_ready().then_some(()));
    let ip = namespace.pod("web").ip().unwrap();
    let visit = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    assert_eq!(http::raw(SocketAddr::new(ip, 8000), visit).status, 200);

    let prometheus = Prometheus::of(&namespace);
    let pod = format!("namespace=\"{}\",pod=\"web\"", namespace.name());
    let of_the_others = [
        format!("nginx_connections_active{{{pod}}}"),
        format!("sidekit_log_forwarder_files{{{pod}}}"),
        format!("http_server_request_duration_seconds_count{{{pod},http_response_status_code=\"200\"}}"),
        format!("container_memory_working_set_bytes{{{pod}}} > 0"),
        format!("node_network_receive_bytes_total{{{pod},device=\"eth0\"}} > 0"),
        format!("node_filesystem_avail_bytes{{{pod},mountpoint=\"/var/log/nginx\"}} > 0"),
        format!("process_open_fds{{{pod},source=\"proxy\"}} > 0"),
        format!("sidekit_metrics_exporter_source_up{{{pod},source=\"app\"}} == 1"),
    ];
    for query in &of_the_others {
        prometheus.until_found(query);
    }
    prometheus.until_found(&format!("stock_orders_total{{{pod}}} > 1"));
    assert_eq!(prometheus.query(&format!("nginx_connections_waiting{{{pod}}}")).len(), 0, "a rule drops it");
    assert_eq!(prometheus.query("count by (job) (up == 1)").len(), 1);

    let _ = http::try_raw(SocketAddr::new(ip, 8081), "POST /die HTTP/1.1\r\nHost: stock\r\n\r\n");
    namespace.until_pod("web", "stock has ended", |pod| pod.ended("stock"));
    prometheus.until_found(&format!("sidekit_metrics_exporter_source_up{{{pod},source=\"stock\"}} == 0"));
    assert_eq!(prometheus.query(&format!("stock_orders_total{{{pod}}}")).len(), 0, "a value of the past");
    for query in &of_the_others {
        assert!(!prometheus.query(query).is_empty(), "{query} is gone with stock");
    }
}

#[test]
fn the_pods_of_the_examples_have_the_apps_metrics_on_their_page() {
    let namespace = Namespace::new("example-metrics", Profile::Restricted);
    for file in ["metrics-exporter.yaml", "metrics-exporter-classic.yaml"] {
        namespace.create(&example(file));
        namespace.until_pod("web", "it is ready", |pod| pod.is_ready().then_some(()));
        let address = SocketAddr::new(namespace.pod("web").ip().unwrap(), PORT);
        // In the classic pod nginx may listen later.
        namespace.until(&format!("{file}: the app's metrics are on the page"), || {
            let page = http::get(address, "/metrics").body;
            let parts = ["nginx_connections{state=\"active\"} ", "mountpoint=\"/data\"", "source_up{source=\"app\"} 1"];
            parts.iter().all(|part| page.contains(part)).then_some(())
        });
        assert_eq!(namespace.pod("web").container("metrics-exporter").unwrap().restarts(), 0, "{file}");
        namespace.delete("pod/web");
        namespace.delete("configmap/web");
    }
}
