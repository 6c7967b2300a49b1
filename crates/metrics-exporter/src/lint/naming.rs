//! Findings about names and types, by the rules of `promtool check metrics`.

use crate::{
    exposition::model::{Family, Kind},
    lint::findings::Findings,
};

/// The finding for a metric without a line # HELP
pub(super) const NO_HELP: &str = "no help text: say in one sentence what it measures";

/// Adds findings about the name, the help and the names of labels.
pub(super) fn judge_naming(family: &Family, findings: &mut Findings) {
    let name = family.name;
    if family.help.is_empty() {
        findings.add(name, NO_HELP);
    }
    judge_suffixes(family, findings);
    judge_type_in_name(family, findings);
    if name.contains(':') {
        findings.add(name, "a colon in the name: colons are for recording rules, write _ instead");
    }
    if is_camel_case(name) {
        findings.add(name, "camelCase in the name: write snake_case");
    }
    for label in family.series.iter().flat_map(|series| series.labels) {
        judge_label_name(family, label.name, findings);
    }
}

fn judge_suffixes(family: &Family, findings: &mut Findings) {
    let Family { name, kind, .. } = *family;
    if kind == Kind::Unknown {
        return;
    }
    let has_total = name.ends_with("_total");
    if kind == Kind::Counter && !has_total {
        findings.add(name, format!("a counter without _total: rename it to {name}_total"));
    }
    let is_histogram = matches!(kind, Kind::Histogram | Kind::GaugeHistogram);
    let is_distribution = is_histogram || kind == Kind::Summary;
    for (suffix, is_wrong, owners) in [
        ("_total", kind != Kind::Counter, "counters"),
        ("_bucket", !is_histogram, "histograms"),
        ("_count", !is_distribution, "histograms and summaries"),
        ("_sum", !is_distribution, "histograms and summaries"),
    ] {
        if is_wrong && name.ends_with(suffix) {
            findings.add(name, format!("the suffix {suffix} belongs to {owners}: rename it, or give it that type"));
        }
    }
}

fn judge_type_in_name(family: &Family, findings: &mut Findings) {
    // promtool reads text format 0.0.4, in which an info and a state set are gauges.
    let kind = match family.kind {
        Kind::Unknown => return,
        Kind::Gauge | Kind::Info | Kind::StateSet => "gauge",
        Kind::Counter => "counter",
        Kind::Summary => "summary",
        Kind::Histogram => "histogram",
        Kind::GaugeHistogram => "gauge_histogram",
    };
    if has_word(family.name, kind) {
        findings.add(family.name, format!("its type in its name: leave out {kind}"));
    }
}

fn judge_label_name(family: &Family, label: &str, findings: &mut Findings) {
    if is_camel_case(label) {
        findings.add(family.name, format!("camelCase in the label {label}: write snake_case"));
    }
    if label.starts_with("__") {
        findings.add(
            family.name,
            format!("the label {label} begins with __, which Prometheus keeps for itself: rename it"),
        );
    }
    if family.kind == Kind::Unknown {
        return;
    }
    let is_histogram = matches!(family.kind, Kind::Histogram | Kind::GaugeHistogram);
    for (reserved, is_wrong, owners) in
        [("le", !is_histogram, "histograms"), ("quantile", family.kind != Kind::Summary, "summaries")]
    {
        if is_wrong && label == reserved {
            findings.add(family.name, format!("the label {reserved} belongs to {owners}: rename it"));
        }
    }
}

/// True when the word is a part of the name, but not its first part.
pub(super) fn has_word(name: &str, word: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut ends = name.match_indices(word).map(|(start, _)| (start, start + word.len()));
    ends.any(|(start, end)| name[..start].ends_with('_') && (end == name.len() || name[end..].starts_with('_')))
}

fn is_camel_case(name: &str) -> bool {
    name.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_underscores() {
        for (name, word, expected) in [
            ("a_counter", "counter", true),
            ("a_Counter_b", "counter", true),
            ("counter_b", "counter", false),
            ("a_counters", "counter", false),
            ("a_s_b_s", "s", true),
            ("a_sb_s", "s", true),
            ("bytes", "s", false),
        ] {
            assert_eq!(has_word(name, word), expected, "{name} {word}");
        }
    }

    #[test]
    fn camel_case_is_a_lower_letter_before_an_upper_one() {
        for (name, expected) in [("aB", true), ("AB", false), ("Ab_c", false), ("a_B", false), ("", false)] {
            assert_eq!(is_camel_case(name), expected, "{name}");
        }
    }
}
