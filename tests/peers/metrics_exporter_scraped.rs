//! metrics-exporter scraped by Prometheus and `VictoriaMetrics`: they store the values of the apps in each format.

use e2e::peers::{
    metrics_app::{Library, MetricsApp},
    nginx::plain,
    prometheus::Scraper,
};

use crate::metrics_pod::MetricsPod;

/// One page of all apps, one app for each library and format
fn pod_of_all_apps() -> (Vec<MetricsApp>, MetricsPod) {
    let apps: Vec<_> =
        [Library::PromClient, Library::PromClientOpenMetrics, Library::PrometheusClient, Library::ClientGolang]
            .map(MetricsApp::start)
            .into();
    let names = ["node", "node-openmetrics", "python", "go"];
    let sources: Vec<_> = names.iter().zip(&apps).map(|(name, app)| format!("{}#name={name}", app.url())).collect();
    let pod = MetricsPod::start(&sources);
    (apps, pod)
}

#[test]
fn prometheus_stores_every_app_by_openmetrics_with_exemplars() {
    let (_apps, pod) = pod_of_all_apps();
    let prometheus = Scraper::prometheus(&[("pod", pod.address())], false);
    prometheus.until_scraped("pod");
    all_are_up(&prometheus);
    is_what_the_apps_count(&prometheus, "node_orders_total{source=\"node\",kind=\"plain\"}");
    for (series, trace) in [("py_orders_total", "py_orders_total"), ("shop_orders_total", "shop_orders_total")] {
        let exemplars = prometheus.exemplars(&format!("{series}{{kind=\"plain\"}}"));
        let found = &exemplars[0]["exemplars"][0]["labels"]["trace_id"];
        assert_eq!(found, "0af7651916cd43dd8448eb211c80319c", "{trace}: {exemplars}");
    }
    let buckets = prometheus.exemplars("node_request_seconds_bucket");
    assert!(!buckets.as_array().unwrap().is_empty(), "no exemplar of prom-client");
}

#[test]
fn prometheus_stores_native_histograms_by_protobuf() {
    let (_apps, pod) = pod_of_all_apps();
    let prometheus = Scraper::prometheus(&[("pod", pod.address())], true);
    prometheus.until_scraped("pod");
    all_are_up(&prometheus);
    is_what_the_apps_count(&prometheus, "node_orders_total{source=\"node\",kind=\"plain\"}");
    // Prometheus with this feature stores a native histogram in place of the classic one.
    assert_close(prometheus.value("histogram_count(shop_request_seconds)"), 100.0);
    assert_close(prometheus.value("histogram_sum(shop_request_seconds)"), 252.5);
    assert_close(prometheus.value("histogram_count(shop_native_seconds)"), 200.0);
    let median = prometheus.value("histogram_quantile(0.5, shop_request_seconds)");
    assert!((2.2..2.8).contains(&median), "{median}");
    // Classic histograms of other apps are stored beside it.
    assert_close(prometheus.value("py_request_seconds_bucket{le=\"1.0\"}"), 20.0);
}

#[test]
fn prometheus_stores_every_app_by_text() {
    let (_apps, pod) = pod_of_all_apps();
    // Prometheus 2.42 requests OpenMetrics, so nginx requests the page in its place.
    let nginx = plain(&format!(
        "location = /metrics {{ proxy_set_header Accept \"text/plain;version=0.0.4\"; proxy_pass http://{}; }}",
        pod.address()
    ));
    let prometheus = Scraper::prometheus(&[("pod", format!("127.0.0.1:{}", nginx.port()))], false);
    prometheus.until_scraped("pod");
    all_are_up(&prometheus);
    is_what_the_apps_count(&prometheus, "node_orders_total{source=\"node\",kind=\"plain\"}");
    assert_close(prometheus.value("shop_request_seconds_bucket{le=\"1\"}"), 20.0);
}

#[test]
fn victoria_metrics_stores_every_app_by_text() {
    let (_apps, pod) = pod_of_all_apps();
    let victoria = Scraper::victoria_metrics(&[("pod", pod.address())]);
    victoria.until_found("up{job=\"pod\"} == 1");
    all_are_up(&victoria);
    is_what_the_apps_count(&victoria, "node_orders_total{source=\"node\",kind=\"plain\"}");
    assert_close(victoria.value("shop_request_seconds_bucket{le=\"1\"}"), 20.0);
}

fn all_are_up(scraper: &Scraper) {
    for source in ["node", "node-openmetrics", "python", "go"] {
        assert_close(scraper.value(&format!("sidekit_metrics_exporter_source_up{{source=\"{source}\"}}")), 1.0);
    }
}

/// Checks the counters and the histogram of each app, and a label with every character that needs an escape.
fn is_what_the_apps_count(scraper: &Scraper, of_node: &str) {
    assert_close(scraper.value(of_node), 7.0);
    for name in ["py_orders_total", "shop_orders_total"] {
        assert_close(scraper.value(&format!("{name}{{kind=\"plain\"}}")), 7.0);
        let odd = scraper.until_found(&format!("{name}{{kind!=\"plain\"}}"));
        assert_eq!(odd.len(), 1, "{odd:?}");
        assert_eq!((odd[0].labels["kind"].as_str(), odd[0].value.as_str()), ("new\nline \"quoted\" \\ back", "2"));
    }
    assert_close(scraper.value("py_request_seconds_sum"), 252.5);
    assert_close(scraper.value("py_request_seconds_count"), 100.0);
    assert_close(scraper.value("py_size_bytes_count"), 100.0);
    assert_close(scraper.value("shop_size_bytes{quantile=\"0.99\"}"), 99.0);
    assert_close(scraper.value("py_build_info{version=\"1.2\"}"), 1.0);
    assert_close(scraper.value("py_state{py_state=\"running\"}"), 1.0);
    assert_close(scraper.value("shop_build_info{version=\"1.2\"}"), 1.0);
}

fn assert_close(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} is not {other}");
}
