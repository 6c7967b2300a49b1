//! Rules with the results of Prometheus: the inputs and outputs of the table in its `model/relabel`, and more.

use serde_json::{Value, json};

use super::*;
use crate::exposition::model::Label;

fn rule(entry: &Value) -> Result<Rule, std::string::String> {
    serde_json::from_value(entry.clone()).map_err(|error: serde_json::Error| error.to_string())
}

/// The labels of a text such as `a=foo b=bar`
fn labels(text: &str) -> Vec<Label<'_>> {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| Label { name, value }).collect()
}

/// The labels after the rules; `-` when they drop the sample
fn outcome(input: Vec<Label>, rules: &Value) -> std::string::String {
    let arena = Bump::new();
    let mut set = LabelSet::default();
    set.reset(input);
    for entry in rules.as_array().unwrap() {
        // Apply it twice to the same text, because the second time the match comes from the memory.
        let rule = rule(entry).unwrap_or_else(|error| panic!("{entry}: {error}"));
        let mut last = None;
        let mut copy = set.clone();
        let first = rule.apply(&arena, &mut copy, &mut last);
        assert_eq!(rule.apply(&arena, &mut set, &mut last), first);
        assert_eq!(set.clone().sorted(), copy.sorted());
        if !first {
            return "-".to_owned();
        }
    }
    let labels: Vec<_> = set.sorted().iter().map(|label| format!("{}={}", label.name, label.value)).collect();
    labels.join(" ")
}

fn run(rows: &[(&str, Value, &str)]) {
    for (input, rules, expected) in rows {
        assert_eq!(outcome(labels(input), rules), *expected, "{input} {rules}");
    }
}

#[test]
fn replace() {
    run(&[
        (
            "a=foo b=bar c=baz",
            json!([{"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"}]),
            "a=foo b=bar c=baz d=choo-choo",
        ),
        (
            "a=foo b=bar c=baz",
            json!([
                {"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}${2}m"},
                {"source_labels": ["c", "a"], "regex": "(b).*b(.*)ba(.*)", "target_label": "d", "replacement": "$1$2$2$3"},
            ]),
            "a=boobam b=bar c=baz d=boooom",
        ),
        ("a=abc", json!([{"source_labels": ["a"], "regex": ".*(b).*", "target_label": "d"}]), "a=abc d=b"),
        ("a=boo", json!([{"source_labels": ["a"], "regex": "f", "target_label": "b", "replacement": "bar"}]), "a=boo"),
        (
            "a=foo f=baz",
            json!([{"source_labels": ["a"], "regex": "(f).*", "target_label": "$1", "replacement": "$2"}]),
            "a=foo",
        ),
        (
            "a=some-name-value",
            json!([{"source_labels": ["a"], "regex": "some-([^-]+)-([^,]+)", "replacement": "${2}", "target_label": "${1}"}]),
            "a=some-name-value name=value",
        ),
        (
            "a=some-name-value",
            json!([{"source_labels": ["a"], "regex": "some-([^-]+)-([^,]+)", "replacement": "${3}", "target_label": "${1}"}]),
            "a=some-name-value",
        ),
        (
            "a=some-name-0",
            json!([
                {"source_labels": ["a"], "regex": "some-([^-]+)-([^,]+)", "replacement": "${1}", "target_label": "${3}"},
                {"source_labels": ["a"], "regex": "some-([^-]+)(-[^,]+)", "replacement": "${1}", "target_label": "${2}"},
                {"source_labels": ["a"], "regex": "some-([^-]+)-(.+)", "replacement": "${1}", "target_label": "${2}"},
            ]),
            "a=some-name-0",
        ),
    ]);
}

#[test]
fn replace_with_several_rules() {
    run(&[
        (
            "__meta_sd_tags=path:/secret,job:some-job,label:foo=bar",
            json!([
                {"source_labels": ["__meta_sd_tags"], "regex": "(?:.+,|^)path:(/[^,]+).*", "target_label": "__metrics_path__"},
                {"source_labels": ["__meta_sd_tags"], "regex": "(?:.+,|^)job:([^,]+).*", "target_label": "job"},
                {
                    "source_labels": ["__meta_sd_tags"], "regex": "(?:.+,|^)label:([^=]+)=([^,]+).*",
                    "replacement": "${2}", "target_label": "${1}",
                },
            ]),
            "__meta_sd_tags=path:/secret,job:some-job,label:foo=bar __metrics_path__=/secret foo=bar job=some-job",
        ),
        (
            "a=line1line2",
            json!([
                {
                    "source_labels": ["a"], "regex": "(line1).*(?<second>line2)",
                    "target_label": "label1_${1}", "replacement": "val_${second}",
                },
                {
                    "source_labels": ["a"], "regex": "(line1).*(?<second>line2)",
                    "target_label": "label2_$1", "replacement": "val_$second",
                },
            ]),
            "a=line1line2 label1_line1=val_line2 label2_line1=val_line2",
        ),
        (
            "__name__=http_requests_total",
            json!([{"source_labels": ["__name__"], "regex": ".*_total$", "target_label": "__type__", "replacement": "counter"}]),
            "__name__=http_requests_total __type__=counter",
        ),
        ("abc=def", json!([{"source_labels": ["abc"], "target_label": "cde"}]), "abc=def cde=def"),
        ("a=b", json!([{"replacement": "static", "target_label": "abc"}]), "a=b abc=static"),
        ("a=b", json!([{"regex": null, "replacement": "static", "target_label": "abc"}]), "a=b abc=static"),
        ("a=b", json!([{"source_labels": ["a"], "regex": null, "replacement": "x", "target_label": "abc"}]), "a=b"),
        ("a=b c=d", json!([{"replacement": "", "target_label": "c"}]), "a=b"),
        ("a=b c=d", json!([{"source_labels": ["none"], "target_label": "c"}]), "a=b"),
        ("a=b", json!([{"replacement": "dropped", "target_label": "${0}"}]), "a=b"),
        ("a=b c=d", json!([{"source_labels": ["a", "c"], "separator": "", "target_label": "e"}]), "a=b c=d e=bd"),
    ]);
    let text = vec![Label { name: "a", value: "line1\nline2" }];
    let rules = json!([
        {"source_labels": ["a"], "regex": "line1.*line2", "target_label": "d", "replacement": "match${1}"},
        {"regex": "a", "action": "labeldrop"},
    ]);
    assert_eq!(outcome(text, &rules), "d=match");
}

#[test]
fn keep_and_drop() {
    run(&[
        ("a=foo", json!([{"source_labels": ["a"], "regex": ".*o.*", "action": "drop"}]), "-"),
        ("a=foo", json!([{"source_labels": ["a"], "regex": "no-match", "action": "drop"}]), "a=foo"),
        ("a=foo", json!([{"source_labels": ["a"], "regex": "f|o", "action": "Drop"}]), "a=foo"),
        ("a=foo", json!([{"source_labels": ["a"], "regex": "no-match", "action": "keep"}]), "-"),
        ("a=foo", json!([{"source_labels": ["a"], "regex": "f.*", "action": "keep"}]), "a=foo"),
        ("a=foo", json!([{"source_labels": ["b"], "regex": "", "action": "drop"}]), "-"),
        ("p=1 q=1 r=2", json!([{"source_labels": ["p"], "target_label": "q", "action": "keepequal"}]), "p=1 q=1 r=2"),
        ("p=1 q=1 r=2", json!([{"source_labels": ["p"], "target_label": "q", "action": "dropequal"}]), "-"),
        ("p=1 q=1 r=2", json!([{"source_labels": ["p"], "target_label": "r", "action": "dropequal"}]), "p=1 q=1 r=2"),
        ("p=1 q=1 r=2", json!([{"source_labels": ["p"], "target_label": "r", "action": "keepequal"}]), "-"),
        ("p=1", json!([{"source_labels": ["x"], "target_label": "y", "action": "keepequal"}]), "p=1"),
    ]);
}

#[test]
fn labels_by_name() {
    run(&[
        (
            "a=foo b1=bar b2=baz",
            json!([{"regex": "(b.*)", "replacement": "bar_${1}", "action": "labelmap"}]),
            "a=foo b1=bar b2=baz bar_b1=bar bar_b2=baz",
        ),
        (
            "a=foo __meta_my_bar=aaa __meta_my_baz=bbb __meta_other=ccc",
            json!([{"regex": "__meta_(my.*)", "replacement": "${1}", "action": "labelmap"}]),
            "__meta_my_bar=aaa __meta_my_baz=bbb __meta_other=ccc a=foo my_bar=aaa my_baz=bbb",
        ),
        // The last label that maps to a name wins; labels that rules have set come last.
        ("a1=1 a2=2", json!([{"regex": "(a).", "action": "labelmap"}]), "a=2 a1=1 a2=2"),
        (
            "a1=1 a2=2",
            json!([{"replacement": "3", "target_label": "a1"}, {"regex": "(a).", "action": "labelmap"}]),
            "a=3 a1=3 a2=2",
        ),
        ("a=1", json!([{"regex": "a", "replacement": "${1}", "action": "labelmap"}]), "a=1"),
        ("a=foo b1=bar b2=baz", json!([{"regex": "(b.*)", "action": "labelkeep"}]), "b1=bar b2=baz"),
        ("a=foo b1=bar b2=baz", json!([{"regex": "(b.*)", "action": "labeldrop"}]), "a=foo"),
        (
            "p=foo q=9091",
            json!([
                {"regex": "^p$", "action": "labeldrop"},
                {"source_labels": ["q"], "regex": "(.+)", "replacement": "metrics", "target_label": "p"},
                {"source_labels": ["p"], "regex": "^metrics$", "action": "keep"},
            ]),
            "p=metrics q=9091",
        ),
    ]);
}

#[test]
fn letters_and_hashes() {
    run(&[
        (
            "foo=bAr123Foo",
            json!([
                {"source_labels": ["foo"], "action": "uppercase", "target_label": "u"},
                {"source_labels": ["foo"], "action": "lowercase", "target_label": "l"},
            ]),
            "foo=bAr123Foo l=bar123foo u=BAR123FOO",
        ),
        (
            "a=foo b=bar c=baz",
            json!([{"source_labels": ["c"], "target_label": "d", "action": "hashmod", "modulus": 1000}]),
            "a=foo b=bar c=baz d=976",
        ),
    ]);
    let rules = json!([
        {"source_labels": ["a"], "target_label": "b", "action": "hashmod", "modulus": 1000},
        {"regex": "a", "action": "labeldrop"},
    ]);
    assert_eq!(outcome(vec![Label { name: "a", value: "foo\nbar" }], &rules), "b=734");
}

#[test]
fn rules_that_prometheus_accepts() {
    let targets = ["label", "label${1}", "${1}label", "${1}", "$1", "asd$2asd", "_${1}_", "foo${bar}foo"];
    for target in targets {
        assert!(rule(&json!({"target_label": target})).is_ok(), "{target}");
    }
    let rows = [
        json!({"regex": "__meta_kubernetes_pod_label_(strimzi_io_.+)", "action": "labelmap", "replacement": "$1"}),
        json!({"action": "keep"}),
        json!({"action": "LABELDROP", "regex": "a", "source_labels": null, "separator": ";", "replacement": "$1"}),
        json!({"source_labels": ["a"], "target_label": "b", "action": "hashmod", "modulus": u64::MAX, "regex": "x"}),
        json!({"source_labels": ["a"], "target_label": "b", "action": "lowercase", "regex": "x", "separator": ","}),
    ];
    for entry in rows {
        assert!(rule(&entry).is_ok(), "{entry}");
    }
}

#[test]
fn rules_that_prometheus_refuses() {
    let needs_target = "this action needs target_label";
    let bad_target = "no label can have this name; it has letters, digits and _ (groups only with replace)";
    let unused = "this action does not use it";
    let bad_action = "this is no action; there are replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, \
                      labelkeep, lowercase, uppercase";
    let rows = [
        (json!({}), needs_target),
        (json!({"action": "lowercase"}), needs_target),
        (json!({"action": "dropequal", "source_labels": ["a"]}), needs_target),
        (json!({"action": "hashmod", "modulus": 8}), needs_target),
        (json!({"action": "hashmod", "target_label": "a"}), "hashmod needs a modulus above 0"),
        (json!({"action": "lowercase", "target_label": "${3}"}), bad_target),
        (json!({"action": "hashmod", "target_label": "${3}", "modulus": 8}), bad_target),
        (json!({"action": "uppercase", "target_label": "a", "replacement": "x"}), unused),
        (json!({"action": "keepequal", "target_label": "a", "regex": "(.*)"}), unused),
        (json!({"action": "dropequal", "target_label": "a", "separator": ","}), unused),
        (json!({"action": "labeldrop", "regex": "a", "source_labels": []}), unused),
        (json!({"action": "labelkeep", "regex": "a", "target_label": "a"}), unused),
        (json!({"action": "labelkeep", "regex": "a", "modulus": 1}), unused),
        (
            json!({"action": "labelmap", "replacement": "-$1"}),
            "this becomes the name of a label, and no label can have it",
        ),
        (
            json!({"action": "labelmap", "replacement": ""}),
            "this becomes the name of a label, and no label can have it",
        ),
        (json!({"source_labels": ["a.b"], "action": "keep"}), "this holds a name that no label can have"),
        (json!({"action": "shorten"}), bad_action),
        (json!({"action": ""}), bad_action),
        (json!({"regex": "(", "action": "keep"}), "this is no regular expression: unclosed group"),
    ];
    for (entry, expected) in rows {
        assert_eq!(rule(&entry).unwrap_err(), expected, "{entry}");
    }
    let targets =
        ["-label", "${", "$", "${}", "foo${", "-foo${1}bar-", "bar.foo${1}bar", "1a${1}", "a.b", "1a", "a-${1}"];
    for target in targets {
        assert_eq!(rule(&json!({"target_label": target})).unwrap_err(), bad_target, "{target}");
    }
    let error = rule(&json!({"regex": "a".repeat(70_000), "action": "keep"})).unwrap_err();
    assert_eq!(error, "this expression has more than 65536 bytes");
    assert!(rule(&json!({"sourcelabels": ["a"]})).unwrap_err().starts_with("unknown field"));
}
