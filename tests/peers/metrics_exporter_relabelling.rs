//! metrics-exporter relabels as Prometheus does: the same rules in both, for the same page, store the same series.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use e2e::peers::prometheus::Scraper;
use serde_json::Value;

use crate::metrics_pod::{MetricsPod, Pages};

/// The page that both relabel. Every series has a value of its own, so that a comparison sees which one became which.
const PAGE: &str = r#"# TYPE http_requests_total counter
http_requests_total{method="GET",code="200",path="/api/v1/users",host="Web-1.Example.COM"} 1
http_requests_total{method="POST",code="503",path="/api/v2/orders",host="web-2.example.com"} 2
http_requests_total{method="get",code="404",path="/",host="ÄÖÜ.example"} 3
# TYPE queue_length gauge
queue_length{queue="mail",owner="mail"} 4
queue_length{queue="news",owner="mail"} 5
queue_length{queue="none"} 6
queue_length{owner="lines\nof text"} 7
# TYPE pool_size gauge
pool_size{tmp_zone="a",tmp_rack="r1",keep="yes",k8s_app="shop"} 8
pool_size{tmp_zone="b",tmp_rack="r2",keep="no",k8s_app="cart"} 9
# TYPE lone gauge
lone 10
# TYPE text_of untyped
text_of{text="a.b"} 11
text_of{text="aXb"} 12
text_of{text="日本語 été"} 13
text_of{text="١٢"} 14
text_of{text="12"} 15
text_of{text="$1 ${2} $$"} 16
text_of{text="straße İstanbul ǆ ﬁ"} 17
text_of{text=" padded "} 18
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.5",route="a"} 19
latency_seconds_bucket{le="+Inf",route="a"} 20
latency_seconds_sum{route="a"} 21.5
latency_seconds_count{route="a"} 20
# TYPE size_bytes summary
size_bytes{quantile="0.5",route="b"} 22
size_bytes_sum{route="b"} 23
size_bytes_count{route="b"} 24
"#;

/// Lists of rules of `metric_relabel_configs` in YAML. None relies on whether `.` matches a newline without a flag: it does in
/// Prometheus 3 and here, but not in version 2.42.
const RULES: &[(&str, &[&str])] = &[
    ("set", &["{target_label: team, replacement: shop}"]),
    ("group", &["{source_labels: [path], regex: '/api/(v[0-9]+)/(.*)', target_label: api, replacement: '$2-${1}'}"]),
    (
        "named_group",
        &["{source_labels: [host], regex: '(?P<short>[^.]+)[.].*', target_label: short, replacement: '${short}'}"],
    ),
    (
        "dollars",
        &["{source_labels: [code], regex: '(.)(.)(.)', target_label: odd, replacement: '$$$1$2x-$3-$9-${10}$'}"],
    ),
    ("joined", &["{source_labels: [method, code], separator: '/', regex: '(.+)/(.+)', target_label: both}"]),
    ("joined_default", &["{source_labels: [method, code, missing], target_label: both}"]),
    ("joined_nothing", &["{source_labels: [method, code], separator: '', target_label: both}"]),
    ("empty_value", &["{source_labels: [queue], regex: 'mail', target_label: owner, replacement: ''}"]),
    ("empty_match", &["{source_labels: [queue], regex: '', target_label: queue, replacement: missing}"]),
    ("no_match", &["{source_labels: [queue], regex: 'mai', target_label: queue, replacement: wrong}"]),
    (
        "dynamic_target",
        &["{source_labels: [method, code], regex: '(.+);(.+)', target_label: 'by_${1}', replacement: '$2'}"],
    ),
    ("wrong_target", &["{source_labels: [path], regex: '(/.*)', target_label: 'a${1}', replacement: b}"]),
    ("keep", &["{source_labels: [__name__], regex: 'http_.*|lone', action: keep}"]),
    ("keep_anchored", &["{source_labels: [__name__], regex: 'requests', action: keep}"]),
    ("keep_alternation", &["{source_labels: [code], regex: '200|5..', action: keep}"]),
    ("keep_name_and_label", &["{source_labels: [__name__, queue], regex: 'queue_length;(mail|)', action: keep}"]),
    ("drop", &["{source_labels: [code], regex: '[45]..', action: drop}"]),
    ("drop_without_label", &["{source_labels: [queue], regex: '', action: drop}"]),
    ("drop_all", &["{action: drop}"]),
    ("drop_nothing", &["{regex: 'x', action: drop}"]),
    ("labeldrop", &["{regex: 'tmp_.*|owner', action: labeldrop}"]),
    ("labeldrop_anchored", &["{regex: 'tmp', action: labeldrop}"]),
    (
        "labelkeep",
        &["{regex: '__name__|le|quantile|method|text|queue|owner|tmp_zone|job|instance', action: labelkeep}"],
    ),
    ("labelmap", &["{regex: 'tmp_(.+)', action: labelmap}"]),
    ("labelmap_replacement", &["{regex: '(k8s)_(.+)', replacement: '${2}_of_$1', action: labelmap}"]),
    ("labelmap_over", &["{regex: 'tmp_zone', replacement: keep, action: labelmap}"]),
    ("hashmod", &["{source_labels: [path, host], modulus: 7, target_label: shard, action: hashmod}"]),
    (
        "hashmod_large",
        &["{source_labels: [text], modulus: 18446744073709551615, target_label: shard, action: hashmod}"],
    ),
    (
        "hashmod_keep",
        &[
            "{source_labels: [path, queue, text, tmp_zone], modulus: 2, target_label: __tmp, action: hashmod}",
            "{source_labels: [__tmp], regex: '1', action: keep}",
            "{regex: '__tmp', action: labeldrop}",
        ],
    ),
    ("lowercase", &["{source_labels: [host], target_label: host, action: lowercase}"]),
    ("lowercase_unicode", &["{source_labels: [text], target_label: text, action: lowercase}"]),
    ("uppercase", &["{source_labels: [text], target_label: upper, action: Uppercase}"]),
    ("keepequal", &["{source_labels: [queue], target_label: owner, action: keepequal}"]),
    ("dropequal", &["{source_labels: [queue], target_label: owner, action: dropequal}"]),
    (
        "rename",
        &["{source_labels: [__name__], regex: 'queue_(.+)', target_label: __name__, replacement: 'mailbox_$1'}"],
    ),
    (
        "rename_by_label",
        &[
            "{source_labels: [__name__, queue], regex: 'queue_length;(.+)', target_label: __name__, replacement: '${1}_queue_length'}",
        ],
    ),
    (
        "rename_histogram",
        &[
            "{source_labels: [__name__], regex: '(latency|size)_(.+)', target_label: __name__, replacement: 'app_${1}_$2'}",
        ],
    ),
    ("drop_histogram", &["{source_labels: [__name__], regex: 'latency_seconds(_.+)?', action: drop}"]),
    ("label_histogram", &["{source_labels: [route], regex: 'a', target_label: tier, replacement: front}"]),
    ("flag_i", &["{source_labels: [method], regex: '(?i)get', target_label: is_get, replacement: 'yes'}"]),
    ("flag_i_unicode", &["{source_labels: [host], regex: '(?i:äöü)[.]example', action: keep}"]),
    (
        "flag_not_s",
        &["{source_labels: [owner], regex: '(?-s:lines.of text)', target_label: dot, replacement: newline}"],
    ),
    ("flag_u", &["{source_labels: [path], regex: '(?U)/(.+)/(.*)', target_label: first, replacement: '$1|$2'}"]),
    ("digits", &["{source_labels: [text], regex: '\\d+', target_label: digits, replacement: 'yes'}"]),
    ("words", &["{source_labels: [text], regex: '\\w+.*', target_label: word, replacement: 'yes'}"]),
    ("characters", &["{source_labels: [text], regex: '.{7}', target_label: seven, replacement: 'yes'}"]),
    ("escaped", &["{source_labels: [text], regex: 'a\\.b', target_label: dot, replacement: 'yes'}"]),
    ("quoted", &["{source_labels: [text], regex: '\\Q$1 ${2} $$\\E', target_label: dollars, replacement: 'yes'}"]),
    ("classes", &["{source_labels: [text], regex: '[[:alpha:]].[^A-Z]', target_label: class, replacement: 'yes'}"]),
    ("anchors", &["{source_labels: [queue], regex: '^mail$|^n', target_label: anchored, replacement: 'yes'}"]),
    ("lazy", &["{source_labels: [host], regex: '(.+?)[.](.*)', target_label: domain, replacement: '$2'}"]),
    ("empty_alternative", &["{source_labels: [queue], regex: '(mail|)', target_label: empty, replacement: 'is:$1'}"]),
    (
        "chain",
        &[
            "{source_labels: [path], regex: '/api/([^/]+).*', target_label: version}",
            "{source_labels: [version], regex: 'v1', target_label: path, replacement: ''}",
            "{source_labels: [__name__, version], regex: 'http_requests_total;(v.)', target_label: __name__, replacement: 'http_${1}_requests_total'}",
            "{regex: 'host|version', action: labeldrop}",
        ],
    ),
];

#[test]
fn rules_do_in_the_exporter_as_in_prometheus() {
    let pages = Pages::start(&[("metrics", PAGE)]);
    let pods: Vec<_> = RULES.iter().map(|(_, rules)| pod(&pages, rules)).collect();
    let mut settings = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for ((name, rules), (_, pod)) in RULES.iter().zip(&pods) {
        let rules = list(rules);
        write!(
            settings,
            "- job_name: there-{name}\n  static_configs: [{{targets: ['{}']}}]\n  metric_relabel_configs:\n{rules}\
             - job_name: here-{name}\n  static_configs: [{{targets: ['{}']}}]\n",
            pages.address(),
            pod.address()
        )
        .unwrap();
    }
    let prometheus = Scraper::prometheus_with(&settings, false);
    let mut differences = Vec::new();
    for (name, _) in RULES {
        prometheus.until_scraped(&format!("there-{name}"));
        prometheus.until_scraped(&format!("here-{name}"));
        let (there, here) =
            (series(&prometheus, &format!("there-{name}")), series(&prometheus, &format!("here-{name}")));
        let lost: Vec<_> = there.difference(&here).collect();
        let extra: Vec<_> = here.difference(&there).collect();
        if !lost.is_empty() || !extra.is_empty() {
            differences.push(format!("{name}: only there {lost:#?}, only here {extra:#?}"));
        }
        let keeps_none = ["drop_all", "keep_anchored"].contains(name);
        assert_eq!(keeps_none, there.is_empty(), "{name}");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// An exporter with these rules for the page, and the directory of its configuration
fn pod(pages: &Pages, rules: &[&str]) -> (tempfile::TempDir, MetricsPod) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    let url = pages.url("metrics");
    std::fs::write(&config, format!("scrape:\n- url: {url}\nmetric_relabel_configs:\n{}", list(rules))).unwrap();
    let pod = MetricsPod::start_with(&[], &["--collect=textfile", "--config", config.to_str().unwrap()]);
    (directory, pod)
}

fn list(rules: &[&str]) -> String {
    rules.iter().fold(String::new(), |list, rule| format!("{list}  - {rule}\n"))
}

/// The stored series of the page, with their values and without the labels of the target
fn series(prometheus: &Scraper, job: &str) -> BTreeSet<(BTreeMap<String, String>, String)> {
    let others = "up|scrape_.*|sidekit_.*|process_.*|node_textfile_.*|batch_rows";
    let found = prometheus.query(&format!("{{job=\"{job}\",__name__!~\"{others}\"}}"));
    let plain = found.into_iter().map(|mut sample| {
        sample.labels.retain(|name, _| !["job", "instance"].contains(&name.as_str()));
        // Formats write bounds as 1 or 1.0.
        if let Some(bound) = sample.labels.get_mut("le")
            && let Ok(number) = bound.parse::<f64>()
        {
            *bound = Value::from(number).to_string();
        }
        (sample.labels, sample.value)
    });
    plain.collect()
}
