//! The exporter's metrics about its sources and about the page.

use std::collections::BTreeMap;

use crate::{
    collect::{
        collected::{Collected, Labels},
        metric::Metric,
    },
    exposition::model::Kind,
    fetch::source_outcome::SourceOutcome,
    merge::{MergeReport, Overflow},
    page_flaws::PageFlaws,
};

/// Each metric that this file sends
pub(crate) const METRICS: &[Metric] = &[UP, FAULT, DURATION, SERIES, BYTES, LEFT_OUT, OVERFLOW, FORMAT_LEFT_OUT];

const UP: Metric = Metric {
    name: "sidekit_metrics_exporter_source_up",
    kind: Kind::Gauge,
    unit: "",
    help: "Whether the source gave a page to this scrape",
    labels: &["source"],
};
const FAULT: Metric = Metric {
    name: "sidekit_metrics_exporter_source_fault",
    kind: Kind::Gauge,
    unit: "",
    help: "1 for a source that gave no page, with the reason; the details are at /debug/merge",
    labels: &["source", "reason"],
};
const DURATION: Metric = Metric {
    name: "sidekit_metrics_exporter_source_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "How long this scrape waited for the source",
    labels: &["source"],
};
const SERIES: Metric = Metric {
    name: "sidekit_metrics_exporter_source_series",
    kind: Kind::Gauge,
    unit: "",
    help: "Series that the source sent, before relabelling; a histogram or a summary counts as one",
    labels: &["source"],
};
const BYTES: Metric = Metric {
    name: "sidekit_metrics_exporter_source_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    help: "Size of the source's page, uncompressed",
    labels: &["source"],
};
const LEFT_OUT: Metric = Metric {
    name: "sidekit_metrics_exporter_source_left_out_series",
    kind: Kind::Gauge,
    unit: "",
    help: "Series of the source that are left out of this page, by reason; the details are at /debug/merge",
    labels: &["source", "reason"],
};
const OVERFLOW: Metric = Metric {
    name: "sidekit_metrics_exporter_overflow_series",
    kind: Kind::Gauge,
    unit: "",
    help: "Series that a cap cut from this page, by name for the largest cuts and with an empty name for the rest",
    labels: &["source", "metric", "limit"],
};

/// A counter of the registry, because it counts across pages
pub(crate) const FORMAT_LEFT_OUT: Metric = Metric {
    name: "sidekit_metrics_exporter_format_left_out_series_total",
    kind: Kind::Counter,
    unit: "",
    help: "Series that a format of a page cannot hold, by format and reason; the details are at /debug/merge",
    labels: &["format", "reason"],
};

/// The metrics about each source's answer
pub(crate) fn of_sources(outcomes: &[SourceOutcome]) -> Collected {
    let mut all = Collected::default();
    for outcome in outcomes {
        let labels = Labels::new([("source", &outcome.name)]);
        all.push(&UP, &labels, f64::from(u8::from(outcome.fault.is_none())));
        all.push(&DURATION, &labels, outcome.duration.as_secs_f64());
        if let Some(fault) = &outcome.fault {
            let labels = Labels::new([("source", &outcome.name), ("reason", fault.reason.label())]);
            all.push(&FAULT, &labels, 1.0);
        } else {
            all.push(&SERIES, &labels, count(outcome.series));
            all.push(&BYTES, &labels, count(outcome.bytes));
        }
    }
    all
}

/// The metrics about series that are not on the page, after parsing and merging. `flaws` has an entry for each page with notes.
pub(crate) fn of_merge(report: &MergeReport, flaws: &[PageFlaws]) -> Collected {
    let mut all = Collected::default();
    for flaws in flaws {
        let series: usize = flaws.notes.iter().map(|note| note.series).sum();
        if series > 0 {
            let labels = Labels::new([("source", flaws.source.as_str()), ("reason", "invalid_series")]);
            all.push(&LEFT_OUT, &labels, count(series));
        }
    }
    for source in &report.sources {
        let by_label: BTreeMap<_, _> =
            source.left_out.iter().map(|(reason, series)| (reason.label(), series)).collect();
        for (reason, series) in by_label {
            let labels = Labels::new([("source", &source.name), ("reason", reason)]);
            all.push(&LEFT_OUT, &labels, count(*series));
        }
    }
    for Overflow { source, metric, limit, series } in &report.overflows {
        let source = &report.sources[*source].name;
        let labels = Labels::new([("source", source), ("metric", metric), ("limit", limit.label())]);
        all.push(&OVERFLOW, &labels, count(*series));
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "bounds keep counts far below 2^53")]
fn count(count: usize) -> f64 {
    count as f64
}
