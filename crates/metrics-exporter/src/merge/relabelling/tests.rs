//! Rules for whole pages.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    exposition::model::{Bucket, Exemplar, Histogram, Label, Summary, Value},
    merge::{
        MergeMemory, MergeSettings, Merged, SourcePage, merge,
        pages::{SETTINGS, lines, merge_once, notes_of, page, text_of},
    },
};

fn rules(entries: &Json) -> Vec<Rule> {
    serde_json::from_value(entries.clone()).unwrap()
}

fn relabelled<'a>(arena: &'a Bump, page: SourcePage<'a>, entries: &Json) -> Merged<'a> {
    merge_once(arena, vec![SourcePage { rules: arena.alloc(rules(entries)), ..page }])
}

#[test]
fn series_are_dropped_renamed_and_labelled() {
    let arena = Bump::new();
    let text = "
        # gauge go_threads: Threads.
        go_threads 5
        # counter requests_total: Requests.
        requests_total{code=\"200\",path=\"/\"} 1
        requests_total{code=\"500\",path=\"/\"} 2
        # gauge other
        other 1";
    let entries = json!([
        {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
        {"source_labels": ["code"], "regex": "5..", "target_label": "__name__", "replacement": "errors_total"},
        {"source_labels": ["code"], "regex": "(.).*", "target_label": "class", "replacement": "${1}xx"},
        {"regex": "path", "action": "labeldrop"},
    ]);
    let merged = relabelled(&arena, page(&arena, "app", text), &entries);
    let expected = "
        # counter errors_total: Requests.
        errors_total{class=\"5xx\",code=\"500\"} 2
        # gauge other
        other 1
        # counter requests_total: Requests.
        requests_total{class=\"2xx\",code=\"200\"} 1";
    assert_eq!(text_of(&merged), lines(expected));
    assert_eq!(notes_of(&merged), [""; 0]);
    assert_eq!(merged.report.sources[0].left_out[&Reason::DroppedByRule], 1);
}

#[test]
fn labels_for_later_rules_do_not_stay() {
    let arena = Bump::new();
    let entries = json!([
        {"source_labels": ["x"], "target_label": "__tmp"},
        {"source_labels": ["__tmp"], "regex": "(.*)", "target_label": "y"},
    ]);
    let merged = relabelled(&arena, page(&arena, "app", "a{x=\"1\"} 1"), &entries);
    assert_eq!(text_of(&merged), lines("# unknown a\na{x=\"1\",y=\"1\"} 1"));
}

#[test]
fn series_that_become_equal_are_left_out() {
    let arena = Bump::new();
    let text = "a{x=\"1\"} 1\na{x=\"2\"} 2\nb{x=\"1\"} 3\n# counter c_total\nc_total 4";
    let entries = json!([
        {"regex": "x", "action": "labeldrop"},
        {"source_labels": ["__name__"], "regex": "b|c_total", "target_label": "__name__", "replacement": "a"},
    ]);
    let merged = relabelled(&arena, page(&arena, "app", text), &entries);
    assert_eq!(text_of(&merged), lines("# unknown a\na 1"));
    assert_eq!(notes_of(&merged), ["app a type_conflict 1 ()", "app a equal_by_rule 2 ()"]);
}

#[test]
fn a_series_without_a_valid_name_is_left_out() {
    let arena = Bump::new();
    let entries = json!([{"source_labels": ["x"], "regex": "(.*)", "target_label": "__name__"}]);
    let text = "a{x=\"b-c\"} 1\na{x=\"ok:d\"} 2\na{y=\"1\"} 3";
    let merged = relabelled(&arena, page(&arena, "app", text), &entries);
    assert_eq!(text_of(&merged), lines("# unknown ok:d\nok:d{x=\"ok:d\"} 2"));
    assert_eq!(notes_of(&merged), ["app a invalid_name 2 ({x})"]);
}

#[test]
fn types_that_need_their_name_or_label_become_gauges() {
    let arena = Bump::new();
    let text =
        "# info app_info\napp_info{v=\"1\"} 1\n# stateset mode\nmode{mode=\"a\"} 1\n# info other_info\nother_info 1";
    let entries = json!([
        {"source_labels": ["__name__"], "regex": "app_info", "target_label": "__name__", "replacement": "version"},
        {"source_labels": ["mode"], "regex": "(.+)", "target_label": "state"},
        {"regex": "mode", "action": "labeldrop"},
        {"target_label": "x", "replacement": "y"},
    ]);
    let merged = relabelled(&arena, page(&arena, "app", text), &entries);
    let expected = "
        # gauge mode
        mode{state=\"a\",x=\"y\"} 1
        # info other_info
        other_info{x=\"y\"} 1
        # gauge version
        version{v=\"1\",x=\"y\"} 1";
    assert_eq!(text_of(&merged), lines(expected));
}

#[test]
fn a_unit_goes_with_the_name() {
    let family = |name, unit| Family { name, kind: Kind::Counter, help: "", unit, series: Vec::new() };
    for (name, unit, expected) in [("x_seconds_total", "seconds", "seconds"), ("x_total", "seconds", "")] {
        let mut family = family(name, unit);
        fit(&mut family);
        assert_eq!(family.unit, expected, "{name}");
    }
}

const EXEMPLAR: Exemplar = Exemplar { labels: &[], value: 0.5, timestamp: None };
const BUCKETS: &[Bucket] = &[
    Bucket { upper_bound: 0.5, cumulative: 1.0, exemplar: Some(&EXEMPLAR) },
    Bucket { upper_bound: f64::INFINITY, cumulative: 2.0, exemplar: None },
];
const HISTOGRAM: Histogram = Histogram { buckets: BUCKETS, sum: Some(3.0), count: Some(2.0), native: None };
const SUMMARY: Summary = Summary { quantiles: &[(0.5, 1.0), (0.9, 2.0)], sum: Some(3.0), count: Some(2.0) };
const LABELS: &[Label] = &[Label { name: "path", value: "/" }];

fn page_of(value: Value<'static>) -> SourcePage<'static> {
    let (kind, name) = match value {
        Value::Histogram(_) => (Kind::Histogram, "x_seconds"),
        Value::Summary(_) => (Kind::Summary, "x_seconds"),
        _ => (Kind::Counter, "x_total"),
    };
    let series = Series { labels: LABELS, value, created: Some(7.0), timestamp: None };
    let family = Family { name, kind, help: "X.", unit: "", series: vec![series] };
    SourcePage { name: "app", families: vec![family], rules: &[], is_own: false }
}

/// The name and the labels of the only series, or the notes
fn fate(value: Value<'static>, entries: &Json) -> Result<(String, String, bool), Vec<String>> {
    let arena = Bump::new();
    let merged = relabelled(&arena, page_of(value), entries);
    let [family] = &merged.families[..] else { return Err(notes_of(&merged)) };
    let [series] = &family.series[..] else { panic!("{family:?}") };
    assert_eq!(series.value, value);
    Ok((family.name.to_owned(), labels_text(series), series.created.is_some()))
}

#[test]
fn a_histogram_or_summary_is_treated_as_a_whole() {
    for value in [Value::Histogram(&HISTOGRAM), Value::Summary(&SUMMARY)] {
        let kept = |name: &str, labels: &str, has_created| Ok((name.to_owned(), labels.to_owned(), has_created));
        let path = "{path=\"/\"}";
        let drop = |regex: &str| json!([{"source_labels": ["__name__"], "regex": regex, "action": "drop"}]);
        assert_eq!(fate(value, &json!([{"action": "keep"}])), kept("x_seconds", path, true));
        assert_eq!(fate(value, &drop("x_seconds.*")), Err(vec![]));
        assert_eq!(fate(value, &drop("x")), kept("x_seconds", path, true));
        assert_eq!(fate(value, &drop(".*_created")), kept("x_seconds", path, false));
        let label = json!([{"target_label": "pod", "replacement": "p"}, {"regex": "path", "action": "labeldrop"}]);
        assert_eq!(fate(value, &label), kept("x_seconds", "{pod=\"p\"}", true));
        let rename = |regex: &str| json!([{"source_labels": ["__name__"], "regex": regex, "target_label": "__name__", "replacement": "y$1"}]);
        assert_eq!(fate(value, &rename("x_seconds(.*)")), kept("y", path, true));
        let without_created = "x_seconds((_bucket|_sum|_count)?)";
        assert_eq!(fate(value, &rename(without_created)), kept("y", path, false));
        assert!(fate(value, &rename("x_seconds_count()")).is_err());
    }
}

#[test]
fn a_histogram_whose_samples_differ_is_left_out() {
    let rows = [
        (
            json!([{"source_labels": ["__name__"], "regex": ".*_bucket", "action": "drop"}]),
            "x_seconds_sum stays, x_seconds_bucket{le=\"0.5\"} is dropped",
        ),
        (
            json!([{"source_labels": ["le"], "regex": "0.5", "action": "drop"}]),
            "x_seconds_sum stays, x_seconds_bucket{le=\"0.5\"} is dropped",
        ),
        (
            json!([{"regex": "le", "action": "labeldrop"}]),
            "x_seconds_sum stays, x_seconds_bucket{le=\"0.5\"} loses its suffix or its label",
        ),
        (json!([{"target_label": "le", "replacement": "1"}]), "x_seconds_sum loses its suffix or its label"),
        (
            json!([{"source_labels": ["le"], "regex": "(.+)", "target_label": "bound"}]),
            "x_seconds_sum stays, x_seconds_bucket{le=\"0.5\"} changes as part of x_seconds",
        ),
        (
            json!([{"source_labels": ["__name__"], "regex": "(.*)_sum", "target_label": "__name__", "replacement": "y_sum"}]),
            "x_seconds_sum changes as part of y, x_seconds_count stays",
        ),
    ];
    for (entries, example) in rows {
        let notes = fate(Value::Histogram(&HISTOGRAM), &entries).unwrap_err();
        assert_eq!(notes, [format!("app x_seconds split_by_rule 1 ({example})")], "{entries}");
    }
    let notes =
        fate(Value::Summary(&SUMMARY), &json!([{"source_labels": ["quantile"], "regex": "0.9", "action": "drop"}]));
    let example = "x_seconds_sum stays, x_seconds{quantile=\"0.9\"} is dropped";
    assert_eq!(notes, Err(vec![format!("app x_seconds split_by_rule 1 ({example})")]));
}

#[test]
fn the_creation_of_a_counter_follows_it() {
    let counter = Value::Counter(1.0, Some(&EXEMPLAR));
    let rename =
        json!([{"source_labels": ["__name__"], "regex": "x_(.*)", "target_label": "__name__", "replacement": "y_$1"}]);
    assert_eq!(fate(counter, &rename), Ok(("y_total".into(), "{path=\"/\"}".into(), true)));
    let drop = json!([{"source_labels": ["__name__"], "regex": ".*_created", "action": "drop"}]);
    assert_eq!(fate(counter, &drop), Ok(("x_total".into(), "{path=\"/\"}".into(), false)));
}

#[test]
fn rules_that_take_too_long_cost_the_page_of_their_source_only() {
    let arena = Bump::new();
    let settings = |rule_time| MergeSettings { rule_time, ..SETTINGS };
    let text: Vec<_> = (0..100).map(|nth| format!("secret{{nth=\"{nth}\"}} 1\n")).collect();
    let text = text.concat();
    let entries = json!([{"source_labels": ["__name__"], "regex": "secret", "action": "drop"}]);
    let pages = || {
        let rules: &[Rule] = arena.alloc(rules(&entries));
        vec![SourcePage { rules, ..page(&arena, "slow", &text) }, page(&arena, "app", "up 1")]
    };
    let merged = merge(&arena, pages(), &settings(Duration::ZERO), &mut MergeMemory::default());
    assert_eq!(text_of(&merged), lines("# unknown up\nup 1"));
    assert_eq!(merged.report.sources[0].left_out[&Reason::SlowRules], 100);
    assert_eq!(notes_of(&merged), ["slow secret slow_rules 100 (the rules came no further)"]);
    let merged = merge(&arena, pages(), &settings(Duration::from_secs(60)), &mut MergeMemory::default());
    assert_eq!(merged.report.sources[0].left_out[&Reason::DroppedByRule], 100);
}
