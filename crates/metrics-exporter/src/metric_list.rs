//! The README's list of every metric, made from the constants that the page is made from.

use std::fmt::Write as _;

use lifecycle::{SharedMetric, shared_metrics};

use crate::{
    collect::{self, collector::Collector, metric::Metric},
    exposition::model::Kind,
    own_metrics,
};

/// The part of each table above its rows
const HEAD: &str = "| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n";

/// A Markdown table for each part of the exporter.
///
/// # Panics
/// When two metrics that all sidecars have share a name.
pub fn metric_list() -> String {
    let mut list = String::new();
    write_shared(&shared_metrics().expect("names of their own"), &mut list);
    write_table("Sources and the page", &[own_metrics::METRICS], &mut list);
    write_table("Collectors", &[collect::METRICS], &mut list);
    for collector in Collector::ALL {
        if !collector.metrics().is_empty() {
            write_table(&format!("Collector `{collector}`"), collector.metrics(), &mut list);
        }
    }
    list
}

/// Writes the table of the metrics that all sidecars have.
fn write_shared(metrics: &[SharedMetric], list: &mut String) {
    let _ = write!(list, "\n### Every sidecar\n\n{HEAD}");
    for SharedMetric { name, kind, help, labels } in metrics {
        let mut labels = labels.clone();
        // The merge gives it to them, so that those of an app stay as they are.
        if name.starts_with("process_") {
            labels.push("source".into());
        }
        let stem = name.strip_suffix("_total").unwrap_or(name);
        let unit = ["seconds", "bytes"].into_iter().find(|unit| stem.ends_with(unit)).unwrap_or_default();
        let _ = writeln!(list, "| `{name}` | {kind} | {unit} | {} | {help} |", labels.join(", "));
    }
}

fn write_table(heading: &str, groups: &[&[Metric]], list: &mut String) {
    let _ = write!(list, "\n### {heading}\n\n{HEAD}");
    for metric in groups.iter().copied().flatten() {
        let Metric { name, kind, unit, help, labels } = metric;
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            _ => "untyped",
        };
        let _ = writeln!(list, "| `{name}` | {kind} | {unit} | {} | {help} |", labels.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_one_row() {
        let list = metric_list();
        let groups = Collector::ALL.iter().flat_map(|collector| collector.metrics()).copied();
        let metrics: Vec<_> = groups.chain([collect::METRICS, own_metrics::METRICS]).flatten().collect();
        let rows = metrics.len() + shared_metrics().unwrap().len();
        assert_eq!(list.lines().filter(|line| line.starts_with("| `")).count(), rows);
        for metric in metrics {
            assert!(!metric.help.is_empty() && !metric.help.contains(['|', '\n']), "{}", metric.name);
            assert!(matches!(metric.kind, Kind::Gauge | Kind::Counter | Kind::Unknown), "{}", metric.name);
        }
        let row = "| `process_cpu_seconds_total` | counter | seconds | source | Total user and system CPU time";
        assert!(list.contains(row), "{list}");
        let row = "| `sidekit_config_reloads_total` | counter |  | file, result | Changes of a configuration file";
        assert!(list.contains(row), "{list}");
        assert!(list.contains("| `container_memory_rss` | gauge | bytes |  | Anonymous memory"), "{list}");
    }
}
