//! Pages, and the findings about them.

use super::*;

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };

fn findings_of(format: PageFormat, page: &str) -> String {
    judge(format, page.as_bytes(), &BOUNDS).unwrap_or_else(|fault| panic!("{fault}: {page}")).into_text()
}

/// The findings about a text page with metadata
fn found(kind: &str, name: &str, samples: &str) -> String {
    findings_of(PageFormat::Text, &format!("# HELP {name} What it is.\n# TYPE {name} {kind}\n{samples}"))
}

const CLEAN: &str = r#"# HELP http_requests_total All requests.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/api/v1/users/{id}"} 1027
http_requests_total{code="400",path="/"} 3
# HELP queue_bytes Bytes that wait.
# TYPE queue_bytes gauge
queue_bytes -1
# HELP rpc_seconds Time of calls.
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 0.1
rpc_seconds_sum 17.5
rpc_seconds_count 26
# HELP wait_seconds Time of waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 3
wait_seconds_bucket{le="+Inf"} 5
wait_seconds_sum 1.5
wait_seconds_count 5
# HELP x_build_info What runs.
# TYPE x_build_info gauge
x_build_info{revision="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"} 1
# HELP other Something else.
# TYPE other untyped
other 1
"#;

#[test]
fn a_clean_page_has_no_findings() {
    assert_eq!(findings_of(PageFormat::Text, CLEAN), "");
}

/// Each rule of `promtool check metrics`
#[test]
fn names_are_judged_as_promtool_judges_them() {
    for (kind, name, samples, finding) in [
        ("counter", "x", "x 1\n", "x: a counter without _total: rename it to x_total\n"),
        (
            "gauge",
            "x_total",
            "x_total 1\n",
            "x_total: the suffix _total belongs to counters: rename it, or give it that type\n",
        ),
        (
            "gauge",
            "x_bucket",
            "x_bucket 1\n",
            "x_bucket: the suffix _bucket belongs to histograms: rename it, or give it that type\n",
        ),
        (
            "gauge",
            "x_count",
            "x_count 1\n",
            "x_count: the suffix _count belongs to histograms and summaries: rename it, or give it that type\n",
        ),
        (
            "gauge",
            "x_sum",
            "x_sum 1\n",
            "x_sum: the suffix _sum belongs to histograms and summaries: rename it, or give it that type\n",
        ),
        ("gauge", "x", "x{le=\"1\"} 1\n", "x: the label le belongs to histograms: rename it\n"),
        ("gauge", "x", "x{quantile=\"1\"} 1\n", "x: the label quantile belongs to summaries: rename it\n"),
        ("gauge", "x_gauge", "x_gauge 1\n", "x_gauge: its type in its name: leave out gauge\n"),
        ("gauge", "a:b", "a:b 1\n", "a:b: a colon in the name: colons are for recording rules, write _ instead\n"),
        ("gauge", "aB", "aB 1\n", "aB: camelCase in the name: write snake_case\n"),
        ("gauge", "x", "x{aB=\"1\"} 1\n", "x: camelCase in the label aB: write snake_case\n"),
        (
            "gauge",
            "x_milliseconds",
            "x_milliseconds 1\n",
            "x_milliseconds: the unit milliseconds: measure in seconds\n",
        ),
        ("gauge", "seconds_in_hours", "seconds_in_hours 1\n", "seconds_in_hours: the unit hours: measure in seconds\n"),
        ("gauge", "x_ms", "x_ms 1\n", "x_ms: the abbreviated unit ms: write a base unit in full, such as seconds\n"),
        ("untyped", "x_total", "x_total{le=\"1\"} 1\n", ""),
    ] {
        assert_eq!(found(kind, name, samples), finding);
    }
    let page = "# TYPE x gauge\nx 1\n";
    assert_eq!(findings_of(PageFormat::Text, page), "x: no help text: say in one sentence what it measures\n");
    // Clients write the time at which a counter began as a gauge of its own.
    let page = "# HELP x_total A.\n# TYPE x_total counter\nx_total 1\n# TYPE x_created gauge\nx_created 1\n";
    assert_eq!(findings_of(PageFormat::Text, page), "x_created: no help text: say in one sentence what it measures\n");
    let page = "# HELP x A.\n# TYPE x gauge\n# TYPE x gauge\nx 1\n";
    assert_eq!(findings_of(PageFormat::Text, page), "x: a second line # TYPE: leave it out\n");
}

#[test]
fn findings_go_beyond_those_of_promtool() {
    for (kind, name, samples, finding) in [
        ("gauge", "x_percent", "x_percent 1\n", "x_percent: a percentage: measure a ratio from 0 to 1\n"),
        (
            "gauge",
            "x",
            "x{__a=\"1\"} 1\n",
            "x: the label __a begins with __, which Prometheus keeps for itself: rename it\n",
        ),
        (
            "gauge",
            "x",
            "x{user=\"alice@example.com\"} 1\nx{user=\"bob@example.com\"} 1\n",
            "x: the label user holds an e-mail address (\"alic\"…), so that series grow without bound: leave the label out\n",
        ),
        (
            "counter",
            "x_total",
            "x_total -1\n",
            "x_total: a counter that is negative or not a number: count from 0 up, or make it a gauge\n",
        ),
        (
            "summary",
            "x",
            "x{quantile=\"99\"} 1\nx_sum 1\nx_count 1\n",
            "x: a quantile outside of 0 to 1: write 0.99 for 99 percent\n",
        ),
        ("summary", "x", "x_count 1\n", "x: no _sum, so that there is no average: add it\n"),
        (
            "gauge",
            "x",
            "x{a=\"1\"} 1\nx{a=\"1\"} 2\n",
            "x: repeated series, which readers refuse: send no such series\n",
        ),
    ] {
        assert_eq!(found(kind, name, samples), finding);
    }
}

#[test]
fn buckets_must_add_up() {
    let with = |buckets: &str| found("histogram", "x", &format!("{buckets}x_sum 1\nx_count 5\n"));
    assert_eq!(with("x_bucket{le=\"1\"} 3\nx_bucket{le=\"+Inf\"} 5\n"), "");
    let descending = with("x_bucket{le=\"1\"} 6\nx_bucket{le=\"+Inf\"} 5\n");
    assert_eq!(
        descending,
        "x: buckets that do not add up: each counts all observations up to its bound, and so at least as many as the one \
         before\n"
    );
    let other_count = with("x_bucket{le=\"1\"} 3\nx_bucket{le=\"+Inf\"} 4\n");
    assert!(
        other_count.starts_with("x: buckets that do not add up: the bucket +Inf and _count must be equal\n"),
        "{other_count}"
    );
    let unfinished = with("x_bucket{le=\"1\"} 3\n");
    assert_eq!(unfinished, "x: a histogram without its last bucket: add le=\"+Inf\" with the value of _count\n");
}

#[test]
fn lines_out_of_place_are_found() {
    let pieces = "# HELP x X.\n# TYPE x gauge\nx{a=\"1\"} 1\n# HELP y Y.\n# TYPE y gauge\ny 1\nx{a=\"2\"} 1\n";
    assert_eq!(
        findings_of(PageFormat::Text, pieces),
        "x: a family in pieces: write all its lines one after the other\n"
    );
    assert_eq!(
        findings_of(PageFormat::Text, "x 1\n"),
        "x: no type: add a line # TYPE before its first series\nx: no help text: say in one sentence what it measures\n"
    );
}

#[test]
fn the_end_of_an_openmetrics_page_must_be_there() {
    let page = "# HELP x X.\n# TYPE x counter\nx_total{a=\"1\"} 1\nx_created{a=\"1\"} 1\n";
    assert_eq!(findings_of(PageFormat::OpenMetrics, &format!("{page}# EOF\n")), "");
    assert_eq!(
        findings_of(PageFormat::OpenMetrics, page),
        "# EOF: the last line is missing, so that readers take the page for cut off: add it\n"
    );
}

#[test]
fn series_that_a_format_cannot_hold_are_named() {
    let clash = "# HELP x X.\n# TYPE x summary\nx_sum 1\nx_count 1\n# HELP x_count X.\n# TYPE x_count untyped\nx_count{a=\"1\"} 1\n";
    let findings = findings_of(PageFormat::Text, clash);
    assert!(findings.contains("cannot stand in OpenMetrics"), "{findings}");
}

#[test]
fn protobuf_has_no_lines() {
    let metric = b"\x12\x09\x09\0\0\0\0\0\0\xf0\x3f";
    let family = [b"\x0a\x01x\x18\x01\x22\x0b", &metric[..]].concat();
    let body = [&[u8::try_from(family.len()).unwrap()], &family[..]].concat();
    let findings = judge(PageFormat::Protobuf, &body, &BOUNDS).unwrap();
    assert_eq!(findings.into_text(), "x: no help text: say in one sentence what it measures\n");
}
