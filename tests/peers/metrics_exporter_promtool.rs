//! metrics-exporter and promtool: pages that `promtool check metrics` reads without a complaint of its own, and a lint that finds
//! everything that promtool finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use e2e::{
    peers::{
        metrics_app::{Library, MetricsApp, parsed},
        prometheus::promtool_complaints,
    },
    process::helper,
    web::ask,
};
use serde_json::Value;

use crate::metrics_pod::{MetricsPod, OPENMETRICS, Pages, TEXT};

/// A page that breaks each rule of promtool, except those on units, which [`pages_of_units`] has
const AGAINST_EACH_RULE: &str = "\
# TYPE without_help gauge
without_help 1
# HELP orders A counter without its suffix.
# TYPE orders counter
orders 1
# HELP age_total A gauge with the suffix of counters.
# TYPE age_total gauge
age_total 1
# HELP a_bucket A gauge.
# TYPE a_bucket gauge
a_bucket 1
# HELP b_count A gauge.
# TYPE b_count gauge
b_count 1
# HELP c_sum A gauge.
# TYPE c_sum gauge
c_sum 1
# HELP d_bucket A summary.
# TYPE d_bucket summary
d_bucket{quantile=\"0.5\"} 1
d_bucket_sum 1
d_bucket_count 1
# HELP e_total A histogram.
# TYPE e_total histogram
e_total_bucket{le=\"+Inf\"} 1
e_total_sum 1
e_total_count 1
# HELP with_le A gauge with the label of histograms.
# TYPE with_le gauge
with_le{le=\"1\"} 1
# HELP with_quantile A counter with the label of summaries.
# TYPE with_quantile counter
with_quantile{quantile=\"1\"} 1
# HELP quantile_of_a_histogram A histogram with the label of summaries.
# TYPE quantile_of_a_histogram histogram
quantile_of_a_histogram_bucket{quantile=\"1\",le=\"+Inf\"} 1
quantile_of_a_histogram_sum{quantile=\"1\"} 1
quantile_of_a_histogram_count{quantile=\"1\"} 1
# HELP jobs_total A counter beside the time at which it began.
# TYPE jobs_total counter
jobs_total 1
# TYPE jobs_created gauge
jobs_created 1.7e9
# HELP a_gauge Its type in its name.
# TYPE a_gauge gauge
a_gauge 1
# HELP a_counter_total Its type in its name.
# TYPE a_counter_total counter
a_counter_total 1
# HELP a_Summary_of Its type in its name.
# TYPE a_Summary_of summary
a_Summary_of_sum 1
a_Summary_of_count 1
# HELP a_histogram Its type in its name.
# TYPE a_histogram histogram
a_histogram_bucket{le=\"+Inf\"} 1
a_histogram_sum 1
a_histogram_count 1
# HELP job:orders A name of a recording rule.
# TYPE job:orders gauge
job:orders 1
# HELP camelCase A name.
# TYPE camelCase gauge
camelCase 1
# HELP camel_label A label.
# TYPE camel_label untyped
camel_label{aB=\"1\"} 1
# HELP untyped_total No type, so that few rules hold.
untyped_total{le=\"1\",quantile=\"1\"} 1
";

#[test]
fn promtool_and_prometheus_client_accept_every_page() {
    let kinds = [Library::PromClient, Library::PromClientOpenMetrics, Library::PrometheusClient, Library::ClientGolang];
    let mut apps = kinds.map(MetricsApp::start);
    let broken = Pages::start(&[("page", "# TYPE broken gauge\nbroken 1\nbroken{half=\"")]);
    let names = ["node", "node-openmetrics", "python", "go"];
    let mut sources: Vec<_> = names.iter().zip(&apps).map(|(name, app)| format!("{}#name={name}", app.url())).collect();
    sources.push(format!("{}#name=broken", broken.url("page")));
    sources.push(format!("{}#name=status", broken.url("status")));
    let pod = MetricsPod::start(&sources);
    let page = pod.page(TEXT);
    for (name, up) in [("node", 1), ("node-openmetrics", 1), ("python", 1), ("go", 1), ("broken", 0), ("status", 0)] {
        assert!(page.contains(&format!("source_up{{source=\"{name}\"}} {up}\n")), "{name} is not {up}:\n{page}");
    }
    // prom-client's app in OpenMetrics has the metrics of the one in text, whose page promtool reads.
    let own_complaints = |app: &MetricsApp| complaints(&page_of(app));
    let expected: BTreeSet<_> = [&apps[0], &apps[2], &apps[3]].into_iter().flat_map(own_complaints).collect();
    assert!(!expected.is_empty(), "no app breaks a rule, so that this shows little");
    assert_complaints(&pod, &expected);
    // A page is valid while a source is dead.
    apps[1].stop();
    pod.until_page(TEXT, "sidekit_metrics_exporter_source_up{source=\"node-openmetrics\"} 0");
    assert_complaints(&pod, &expected);
    // A page without sources is valid too.
    assert_complaints(&MetricsPod::start(&[]), &BTreeSet::new());
}

#[test]
fn promtool_complains_of_the_names_of_others_only() {
    let complaints = complaints(&page_of_all_metrics());
    let camel_case: BTreeSet<_> = list_of_metrics()
        .into_keys()
        .filter(|name| name.starts_with("node_netstat_") && is_camel_case(name))
        .map(|name| format!("{name} metric names should be written in 'snake_case' not 'camelCase'"))
        .collect();
    assert_eq!(complaints, camel_case);
}

#[test]
fn lint_names_each_metric_that_promtool_names() {
    let apps = [Library::PromClient, Library::PrometheusClient, Library::ClientGolang].map(MetricsApp::start);
    let pod = MetricsPod::start(&apps.each_ref().map(|app| format!("{}#name={}", app.url(), app.address())));
    let mut pages: Vec<_> = apps.iter().map(page_of).collect();
    pages.extend([pod.page(TEXT), page_of_all_metrics(), AGAINST_EACH_RULE.to_owned()]);
    pages.extend(pages_of_units());
    for page in pages {
        let findings = lint(&page);
        let linted = names(&findings);
        let complaints = complaints(&page);
        let missed: Vec<_> = complaints.iter().filter(|line| !linted.contains(name_in(line))).collect();
        assert!(missed.is_empty(), "lint misses {missed:#?}");
    }
    // Each metric of this page breaks a rule, except the last one.
    let families = AGAINST_EACH_RULE.matches("# HELP ").count();
    assert_eq!(names(&complaints(AGAINST_EACH_RULE)).len(), families);
}

/// Checks that both tools read the page in both text formats, and that promtool complains of these metrics of sources only, beyond
/// the names of others that are kept.
fn assert_complaints(pod: &MetricsPod, of_sources: &BTreeSet<String>) {
    let text = pod.page(TEXT);
    assert!(parsed("text", &text).len() > 20, "{text}");
    let openmetrics = pod.page(OPENMETRICS);
    assert!(openmetrics.ends_with("\n# EOF\n"), "{openmetrics}");
    let families = parsed("openmetrics", &openmetrics);
    assert!(families.len() > 20, "{openmetrics}");
    let is_right = |family: &Value| !family["name"].as_str().unwrap_or_default().is_empty();
    assert!(families.iter().all(is_right), "{families:?}");
    let mut expected = complaints(&page_of_all_metrics());
    expected.retain(|line| text.contains(&format!("\n# TYPE {} ", name_in(line))));
    expected.extend(of_sources.iter().cloned());
    assert_eq!(complaints(&text), expected, "{text}");
}

/// The page of an app in text format
fn page_of(app: &MetricsApp) -> String {
    let port = app.address().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap();
    let (status, page) = ask(port, "GET", "/metrics", "");
    assert_eq!(status, 200, "{page}");
    page
}

fn complaints(page: &str) -> BTreeSet<String> {
    promtool_complaints(page).into_iter().collect()
}

/// The findings of our lint
fn lint(page: &str) -> BTreeSet<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), page).unwrap();
    let mut command = helper("metrics-exporter");
    let said = command.arg("lint").arg(file.path()).output().unwrap();
    assert!(matches!(said.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn names(lines: &BTreeSet<String>) -> BTreeSet<&str> {
    lines.iter().map(|line| name_in(line)).collect()
}

/// The metric that a line of promtool or of lint is about
fn name_in(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default().trim_end_matches(':')
}

/// Every metric in the README with its type
fn list_of_metrics() -> BTreeMap<String, String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/metrics-exporter/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, list) = readme.split_once("<!-- metrics -->").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let metrics: BTreeMap<_, _> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned())).collect();
    assert!(metrics.len() > 150, "{metrics:?}");
    metrics
}

/// One series of every metric in the README, because a machine has no metric of, for example, the other version of cgroups
fn page_of_all_metrics() -> String {
    list_of_metrics().iter().fold(String::new(), |mut page, (name, kind)| {
        writeln!(page, "# HELP {name} One.\n# TYPE {name} {kind}\n{name} 1").unwrap();
        page
    })
}

/// Names with each unit, each prefix and each abbreviation that promtool knows, and with words that only resemble them
fn pages_of_units() -> Vec<String> {
    let words = "amperes bytes celsius grams joules kelvin meters metres seconds volts minutes hours days weeks kelvins \
         fahrenheit rankine inches yards miles bits calories pounds ounces parsecs";
    let prefixes = "pico nano micro milli centi deci deca hecto kilo kibi mega mibi giga gibi tera tebi peta pebi mebi";
    let abbreviations = "s ms us ns sec b kb mb gb tb pb m h d S MS pct percent x";
    let with_prefix = |word: &'static str| prefixes.split(' ').map(move |prefix| format!("{prefix}{word}"));
    let units = words.split_ascii_whitespace().flat_map(|word| with_prefix(word).chain([word.to_owned()]));
    let all = units.chain(abbreviations.split(' ').map(str::to_owned));
    let names: BTreeSet<_> = all
        .flat_map(|unit| [format!("a_{unit}"), format!("a_{unit}_b"), format!("{unit}_c"), format!("a_seconds_{unit}")])
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    // Lint lists the first 1000 findings of a page, and a name has up to two.
    names.chunks(400).map(|names| names.iter().fold(String::new(), |page, name| page + &untyped(name))).collect()
}

/// The lines of an untyped metric
fn untyped(name: &str) -> String {
    format!("# HELP {name} One.\n# TYPE {name} untyped\n{name} 1\n")
}

fn is_camel_case(name: &str) -> bool {
    name.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}
