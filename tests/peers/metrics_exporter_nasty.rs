//! metrics-exporter with sources of series that one format forbids and another allows: every scraper and parser reads its page.

use e2e::peers::{
    metrics_app::parsed,
    nginx::plain,
    prometheus::{Scraper, promtool_complaints},
};
use harness::until;

use crate::metrics_pod::{MetricsPod, OPENMETRICS, Pages, TEXT};

/// A source in text format
const NASTY: &str = r#"# TYPE x gauge
x 1
# TYPE x_total counter
x_total 5
# TYPE nan_total counter
nan_total NaN
# TYPE negative_total counter
negative_total -3
# TYPE endless_total counter
endless_total +Inf
# TYPE fractional histogram
fractional_bucket{le="1"} 0.5
fractional_bucket{le="+Inf"} 1.5
fractional_sum 1
fractional_count 1.5
# TYPE falling histogram
falling_bucket{le="1"} 3
falling_bucket{le="+Inf"} 2
falling_sum 1
falling_count 2
# TYPE clash histogram
clash_bucket{le="1"} 1
clash_bucket{le="1.0"} 1
clash_bucket{le="+Inf"} 2
clash_sum 3
clash_count 2
# TYPE sidekit_metrics_exporter_source_up gauge
sidekit_metrics_exporter_source_up{source="forged"} 1
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 4
# HELP labelled A "help" with \\ and \n and é.
labelled{source="app"} 1
odd{value="é \" \\ \n 漢字 😀 {},= #"} 1
odd{value=""} 2
with_le{le="1"} 1
info_info{version="1"} 1
large 1.7976931348623157e308
tiny 5e-324
"#;

/// A source in OpenMetrics. The exemplar has an even number of quotes, because prometheus-client takes those with a backslash for
/// the end of the value.
const NASTY_OPENMETRICS: &str = r#"# TYPE exemplary counter
# HELP exemplary A "counter".
exemplary_total{of="é \" \\ \n"} 5 # {trace_id="é\"\"\\\n"} 0.5 1700000000.123
exemplary_created{of="é \" \\ \n"} 1700000000
# TYPE spread_seconds histogram
# UNIT spread_seconds seconds
spread_seconds_bucket{le="-1.0"} 0
spread_seconds_bucket{le="1.0"} 1 # {span="a"} 0.7
spread_seconds_bucket{le="+Inf"} 2 # {} 7
spread_seconds_count 2
# TYPE state stateset
state{state="on"} 1
state{state="off"} 0
# TYPE built info
built_info{version="1"} 1
# TYPE gauged gaugehistogram
gauged_bucket{le="1.0"} 3
gauged_bucket{le="+Inf"} 4
gauged_gcount 4
gauged_gsum -2
# TYPE labelled unknown
labelled{source="app"} 2
# TYPE x counter
x_total{of="another"} 6
# TYPE sidekit_metrics_exporter_source_up gauge
sidekit_metrics_exporter_source_up{source="forged"} 1
# EOF
"#;

/// Series that every format holds, with their values
const IN_EVERY_FORMAT: [(&str, &str); 19] = [
    ("x", "1"),
    ("x_total{of=\"\"}", "5"),
    ("x_total{of=\"another\"}", "6"),
    ("endless_total", "+Inf"),
    ("clash_bucket{le=~\"1|1.0\"}", "1"),
    ("clash_bucket{le=\"+Inf\"}", "2"),
    ("clash_sum", "3"),
    ("clash_count", "2"),
    ("process_cpu_seconds_total{source=\"\"}", "4"),
    ("labelled{exported_source=\"app\",source=\"nasty\"}", "1"),
    ("labelled{exported_source=\"app\",source=\"open\"}", "2"),
    ("odd{value=\"é \\\" \\\\ \\n 漢字 😀 {},= #\"}", "1"),
    ("odd{value=\"\"}", "2"),
    ("with_le{le=\"1\"}", "1"),
    ("info_info{version=\"1\"}", "1"),
    ("exemplary_total{of=\"é \\\" \\\\ \\n\"}", "5"),
    ("spread_seconds_bucket{le=~\"-1|-1.0\"}", "0"),
    ("state{state=\"on\"}", "1"),
    ("built_info{version=\"1\"}", "1"),
];

/// Series that OpenMetrics forbids
const NOT_IN_OPENMETRICS: [(&str, &str); 6] = [
    ("nan_total", "NaN"),
    ("negative_total", "-3"),
    ("fractional_bucket{le=~\"1|1.0\"}", "0.5"),
    ("falling_bucket{le=~\"1|1.0\"}", "3"),
    ("gauged_gsum", "-2"),
    ("gauged_bucket{le=\"1\"}", "3"),
];

fn nasty_pod() -> (Pages, MetricsPod) {
    let pages = Pages::start(&[("nasty", NASTY), ("open.openmetrics", NASTY_OPENMETRICS)]);
    let sources =
        [format!("{}#name=nasty", pages.url("nasty")), format!("{}#name=open", pages.url("open.openmetrics"))];
    // Without collectors, because the number of their series changes.
    let pod = MetricsPod::start_with(&sources, &["--collect=textfile"]);
    (pages, pod)
}

#[test]
fn parsers_read_every_sample_of_nasty_sources() {
    let (_pages, pod) = nasty_pod();
    for (format, accept) in [("text", TEXT), ("openmetrics", OPENMETRICS)] {
        let page = pod.page(accept);
        let families = parsed(format, &page);
        let samples: u64 = families.iter().map(|family| family["samples"].as_u64().unwrap()).sum();
        assert_eq!(samples, samples_of(&page), "{page}");
    }
    // promtool complains of the names and of the missing help of the sources.
    let complaints = promtool_complaints(&pod.page(TEXT));
    assert!(
        !complaints.iter().any(|line| line.starts_with("sidekit_") || line.starts_with("process_")),
        "{complaints:?}"
    );
}

#[test]
fn prometheus_stores_nasty_sources_by_openmetrics() {
    let (_pages, pod) = nasty_pod();
    let prometheus = Scraper::prometheus(&[("pod", pod.address())], false);
    stores_every_sample(&prometheus, || all(&pod.page(OPENMETRICS)));
    has(&prometheus, &IN_EVERY_FORMAT);
    for (series, _) in NOT_IN_OPENMETRICS {
        assert!(prometheus.query(series).is_empty(), "{series}");
    }
    let exemplars = prometheus.exemplars("exemplary_total");
    // Prometheus 2.42 stores the values of exemplars with their escapes.
    assert_eq!(exemplars[0]["exemplars"][0]["labels"]["trace_id"], r#"é\"\"\\\n"#, "{exemplars}");
}

#[test]
fn prometheus_stores_nasty_sources_by_text() {
    let (_pages, pod) = nasty_pod();
    // Prometheus 2.42 requests OpenMetrics, so nginx requests the page in its place.
    let nginx = plain(&format!(
        "location = /metrics {{ proxy_set_header Accept \"{TEXT}\"; proxy_pass http://{}; }}",
        pod.address()
    ));
    let prometheus = Scraper::prometheus(&[("pod", format!("127.0.0.1:{}", nginx.port()))], false);
    stores_every_sample(&prometheus, || all(&pod.page(TEXT)));
    has(&prometheus, &IN_EVERY_FORMAT);
    has(&prometheus, &NOT_IN_OPENMETRICS);
}

#[test]
fn prometheus_stores_nasty_sources_by_protobuf() {
    let (_pages, pod) = nasty_pod();
    let prometheus = Scraper::prometheus(&[("pod", pod.address())], true);
    // By protobuf, Prometheus 2.42 reads no time of creation but a sum of each histogram, and stores the sum and the count of a
    // gauge histogram as one series.
    stores_every_sample(&prometheus, || {
        let on_page = samples_of(&pod.page(TEXT));
        (on_page, on_page - 1)
    });
    has(&prometheus, &IN_EVERY_FORMAT);
    // It reads whole counts of classic buckets only; later versions read fractions too.
    has(&prometheus, &[("fractional_bucket{le=~\"1|1.0\"}", "1"), ("fractional_count", "2")]);
    let read = NOT_IN_OPENMETRICS
        .iter()
        .filter(|(series, _)| !["fractional", "gauged"].iter().any(|name| series.starts_with(name)));
    has(&prometheus, &read.copied().collect::<Vec<_>>());
    has(&prometheus, &[("gauged{le=\"1.0\"}", "3"), ("gauged{le=\"\"}", "4")]);
}

#[test]
fn victoria_metrics_stores_nasty_sources() {
    let (_pages, pod) = nasty_pod();
    let victoria = Scraper::victoria_metrics(&[("pod", pod.address())]);
    // It holds no NaN.
    stores_every_sample(&victoria, || {
        let on_page = samples_of(&pod.page(TEXT));
        (on_page, on_page - 1)
    });
    has(&victoria, &IN_EVERY_FORMAT);
    has(&victoria, &NOT_IN_OPENMETRICS[1..]);
}

/// Waits until the scraper has stored a page without a fault, and all samples of it that the scraper can hold.
fn stores_every_sample(scraper: &Scraper, samples: impl Fn() -> (u64, u64)) {
    scraper.until_found("up{job=\"pod\"} == 1");
    // The page gains a series with the first page of each format, so both numbers change.
    until("every sample of the page is stored", || {
        let (on_page, held) = samples();
        let queries = [
            format!("scrape_samples_scraped{{job=\"pod\"}} == {on_page}"),
            format!("scrape_samples_post_metric_relabeling{{job=\"pod\"}} == {on_page}"),
            format!("count({{job=\"pod\",__name__!~\"up|scrape_.*\"}}) == {held}"),
        ];
        queries.iter().all(|query| !scraper.query(query).is_empty()).then_some(())
    });
    let forged = "sidekit_metrics_exporter_source_up{source=\"forged\"}";
    assert!(scraper.query(forged).is_empty(), "{forged}");
}

/// The samples of a page, which Prometheus can hold all
fn all(page: &str) -> (u64, u64) {
    (samples_of(page), samples_of(page))
}

fn has(scraper: &Scraper, series: &[(&str, &str)]) {
    for (series, value) in series {
        let found = scraper.query(series);
        let values: Vec<_> = found.iter().map(|sample| sample.value.as_str()).collect();
        assert_eq!(values, [*value], "{series}: {found:?}");
    }
}

/// The number of samples on a page
fn samples_of(page: &str) -> u64 {
    page.lines().filter(|line| !line.starts_with('#')).count() as u64
}
