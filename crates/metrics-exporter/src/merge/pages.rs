//! Pages as text for tests, one series a line.

use std::{fmt::Write, time::Duration};

use bumpalo::Bump;

use super::{Caps, MergeMemory, MergeSettings, Merged, OnDuplicate, SourcePage, merge};
use crate::exposition::model::{Family, Kind, Label, Series, Value};

/// Settings with limits that no small page reaches
pub(super) const SETTINGS: MergeSettings = MergeSettings {
    on_duplicate: OnDuplicate::Label,
    caps: Caps { source: 1000, metric: 1000, page: 1000 },
    rule_time: Duration::from_secs(60),
};

/// Merges pages with an empty memory.
pub(super) fn merge_once<'a>(arena: &'a Bump, pages: Vec<SourcePage<'a>>) -> Merged<'a> {
    merge(arena, pages, &SETTINGS, &mut MergeMemory::default())
}

/// A page of series such as `up{a="b"} 1`. A line such as `# counter up: Its help.` gives the series below it a type and a help.
pub(super) fn page<'a>(arena: &'a Bump, name: &'a str, text: &'a str) -> SourcePage<'a> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(line) = line.strip_prefix("# ") {
            let (start, help) = line.split_once(": ").unwrap_or((line, ""));
            let (kind, name) = start.split_once(' ').unwrap();
            families.push(Family { name, kind: kind_of(kind), help, unit: "", series: Vec::new() });
            continue;
        }
        let (start, number) = line.rsplit_once(' ').unwrap();
        let (name, labels) = start.split_once('{').unwrap_or((start, "}"));
        if families.last().is_none_or(|family| family.name != name) {
            families.push(Family { name, kind: Kind::Unknown, help: "", unit: "", series: Vec::new() });
        }
        let family = families.last_mut().unwrap();
        let number = number.parse().unwrap();
        let value = if family.kind == Kind::Counter { Value::Counter(number, None) } else { Value::Number(number) };
        let labels = labels_of(arena, labels.strip_suffix('}').unwrap());
        family.series.push(Series { labels, value, created: None, timestamp: None });
    }
    SourcePage { name, families, rules: &[], is_own: false }
}

/// Like [`page`], as the exporter's own page.
pub(super) fn own_page<'a>(arena: &'a Bump, text: &'a str) -> SourcePage<'a> {
    SourcePage { is_own: true, ..page(arena, "metrics-exporter", text) }
}

/// The series of a merged page, one a line, with a line before each family.
pub(super) fn text_of(merged: &Merged) -> String {
    let mut text = String::new();
    for family in &merged.families {
        let end = if family.help.is_empty() { "" } else { ": " };
        writeln!(text, "# {} {}{end}{}", format!("{:?}", family.kind).to_lowercase(), family.name, family.help)
            .unwrap();
        for series in &family.series {
            let labels: Vec<_> =
                series.labels.iter().map(|label| format!("{}=\"{}\"", label.name, label.value)).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            match series.value {
                Value::Number(number) | Value::Counter(number, _) => writeln!(text, "{}{labels} {number}", family.name),
                Value::Summary(summary) => writeln!(text, "{}{labels} {summary:?}", family.name),
                Value::Histogram(histogram) => writeln!(text, "{}{labels} {histogram:?}", family.name),
            }
            .unwrap();
        }
    }
    text
}

/// The lines of a text without indentation.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

/// The notes as `SOURCE FAMILY REASON SERIES (EXAMPLE)`.
pub(super) fn notes_of(merged: &Merged) -> Vec<String> {
    let report = &merged.report;
    let line = |source: usize, note: &crate::exposition::page::Note| {
        let source = &report.sources[source].name;
        format!("{source} {} {} {} ({})", note.family, note.reason, note.series, note.example)
    };
    report.notes.iter().map(|noted| line(noted.source, &noted.note)).collect()
}

fn labels_of<'a>(arena: &'a Bump, text: &'a str) -> &'a [Label<'a>] {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let mut labels: Vec<_> = pairs.map(|(name, value)| Label { name, value: value.trim_matches('"') }).collect();
    labels.sort_unstable();
    arena.alloc_slice_copy(&labels)
}

fn kind_of(name: &str) -> Kind {
    match name {
        "gauge" => Kind::Gauge,
        "counter" => Kind::Counter,
        "info" => Kind::Info,
        "stateset" => Kind::StateSet,
        "unknown" => Kind::Unknown,
        _ => panic!("{name} is no type of one number"),
    }
}
