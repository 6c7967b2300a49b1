//! The alert rules and the dashboard in `monitoring/`: promtool checks them, and a README lists every metric in them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use e2e::process::{command, output};
use serde_json::Value;

#[test]
fn promtool_accepts_every_rule() {
    let mut promtool = command("promtool");
    promtool.args(["check", "rules", "--lint=all", "--lint-fatal"]).args(rule_files());
    output(promtool);
}

#[test]
fn every_rule_does_what_its_test_says() {
    let tests = files(&monitoring().join("rules/tests"));
    let mut promtool = command("promtool");
    promtool.args(["test", "rules"]).args(&tests);
    output(promtool);
    let tests = tests.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    for rules in rule_files() {
        let rules = fs::read_to_string(rules).unwrap();
        for alert in values(&rules, "- alert: ") {
            let silent = format!("alertname: {alert}, exp_alerts: [] }}");
            assert!(tests.contains(&silent), "no test shows that {alert} can be silent");
            let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels: ");
            assert!(tests.contains(&fires), "no test shows that {alert} can fire");
        }
        for record in values(&rules, "- record: ") {
            assert!(tests.contains(&format!("- expr: {record}")), "no test has {record}");
        }
    }
}

#[test]
fn the_dashboard_is_valid_and_so_is_each_of_its_queries() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels with the id {}", panel["id"]);
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{} is wider than the page", panel["title"]);
    }
    // promtool parses queries only as rules.
    let as_rule = |(nth, query): (usize, &String)| {
        format!("  - record: query_{nth}\n    expr: {}\n", Value::from(query.as_str()))
    };
    let queries = queries(&dashboard);
    assert!(queries.len() > 10, "{queries:?}");
    let rules = queries.iter().enumerate().map(as_rule).collect::<String>();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("groups:\n- name: dashboard\n  rules:\n{rules}")).unwrap();
    let mut promtool = command("promtool");
    promtool.args(["check", "rules"]).arg(file.path());
    output(promtool);
}

#[test]
fn every_metric_of_the_rules_and_of_the_dashboard_is_listed_in_a_readme() {
    let listed = listed_metrics();
    let recorded = rule_files().iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let recorded: BTreeSet<_> = values(&recorded, "- record: ").map(str::to_owned).collect();
    let rules = rule_files().into_iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        expressions(&text)
    });
    let mut asked = BTreeSet::new();
    for query in rules.chain(queries(&dashboard())) {
        for metric in metrics_of(&query) {
            let series =
                ["_bucket", "_count", "_sum"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(&metric);
            let is_known = listed.contains(&metric) || listed.contains(series) || recorded.contains(&metric);
            assert!(is_known, "{metric} is in no README, and is asked for by {query}");
            asked.insert(metric);
        }
    }
    assert!(asked.len() > 20, "{asked:?}");
}

/// All names in backticks in the READMEs of the helpers and of lifecycle that look like names of metrics
fn listed_metrics() -> BTreeSet<String> {
    let crates = monitoring().parent().unwrap().join("crates");
    let readmes = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("README.md"));
    let texts = readmes.filter_map(|path| fs::read_to_string(path).ok());
    let mut listed = BTreeSet::new();
    for text in texts {
        let names = text.split('`').filter(|name| name.contains('_') && name.chars().all(is_of_a_name));
        listed.extend(names.map(str::to_owned));
    }
    listed
}

/// The names of metrics in a query, by elimination of strings, selectors, ranges, functions, and lists of labels.
fn metrics_of(query: &str) -> Vec<String> {
    let mut metrics = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let name = &rest[..rest.find(|letter| !is_of_a_name(letter)).unwrap_or(rest.len())];
        let after = rest[name.len()..].trim_start();
        rest = match first {
            '"' => behind(&rest[1..], '"'),
            '{' => behind(rest, '}'),
            '[' => behind(rest, ']'),
            _ if ["by", "without", "on", "ignoring", "group_left"].contains(&name) => behind(after, ')'),
            _ if name.is_empty() => &rest[first.len_utf8()..],
            _ => {
                let is_word = ["and", "or", "unless", "offset", "sum", "max"].contains(&name);
                if !(is_word || after.starts_with('(') || first.is_ascii_digit()) {
                    metrics.push(name.to_owned());
                }
                after
            }
        };
    }
    metrics
}

#[test]
fn metrics_are_found_in_queries() {
    let query =
        r#"sum by (job) (rate(a_total{b="c}"}[5m])) / on (x) group_left (y) (d:e:f > 1e9) or g offset 10m + 5 * 3600"#;
    // A brace in a string would end the selector early; no query here has one.
    assert_eq!(metrics_of(&query.replace("c}", "c")), ["a_total", "d:e:f", "g"]);
}

fn behind(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

/// All queries of the dashboard's panels, with its variables replaced by values
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let texts = targets.map(|target| target["expr"].as_str().unwrap());
    texts
        .map(|text| text.replace("$__rate_interval", "5m").replace("$namespace", "shop").replace("$pod", "web"))
        .collect()
}

/// The expressions of a file of rules, each on one line
fn expressions(rules: &str) -> Vec<String> {
    let joined = rules.replace(">-\n", "").lines().fold(String::new(), |mut text, line| {
        // Folded lines are indented deeper than the keys of a rule.
        text.push_str(if line.starts_with("          ") { " " } else { "\n" });
        text.push_str(line.trim_start());
        text
    });
    values(&joined, "expr: ").map(str::to_owned).collect()
}

/// The rest of each line that begins with this key
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim_start().strip_prefix(key))
}

fn dashboard() -> Value {
    let text = fs::read_to_string(monitoring().join("dashboard.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn rule_files() -> Vec<PathBuf> {
    files(&monitoring().join("rules"))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("monitoring")
}
