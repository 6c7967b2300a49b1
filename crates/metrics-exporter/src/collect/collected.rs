//! The result of a collector: families of samples, pages, and the places that it could not read.

use std::{collections::HashSet, io, sync::Arc};

use bumpalo::Bump;
use foldhash::fast::RandomState;

use crate::{
    collect::metric::Metric,
    exposition::model::{Family, Kind, Label, Series, Value},
};

/// The result of one collector in one round
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Each metric once
    pub(crate) families: Vec<CollectedFamily>,
    /// Whole pages of their own, in text format 0.0.4
    pub(crate) pages: Vec<CollectedPage>,
    /// Textfiles that gave no page, sorted
    pub(crate) faulty_files: Vec<FaultyFile>,
    /// The places that have no series because they could not be read
    pub(crate) unreadable: Vec<Unreadable>,
}

/// A metric with its samples
#[derive(Debug)]
pub(crate) struct CollectedFamily {
    pub(crate) metric: &'static Metric,
    pub(crate) samples: Vec<Sample>,
}

/// One value with its labels
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Labels of a sample, sorted by name and without empty values. A clone shares them, because many metrics of a device have the
/// same labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Labels(Arc<[(&'static str, String)]>);

/// A page that is parsed and merged like the page of a source
#[derive(Debug)]
pub(crate) struct CollectedPage {
    /// The name of the file
    pub(crate) source: String,
    pub(crate) body: Vec<u8>,
}

/// A file, or a directory of files, that gives no page
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultyFile {
    pub(crate) path: String,
    /// The fault, with its line where there is one, and the remedy
    pub(crate) fault: String,
}

/// A place that could not be read
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The file below its root, with a placeholder for variable parts, for example `proc/PID/io`
    pub(crate) file: &'static str,
    /// The value of the label `reason`, from a small fixed set
    pub(crate) reason: &'static str,
}

impl Collected {
    /// Adds a sample to the family of its metric.
    pub(crate) fn push(&mut self, metric: &'static Metric, labels: &Labels, value: f64) {
        let sample = Sample { labels: labels.clone(), value };
        // From the end, because samples of one metric mostly follow each other.
        match self.families.iter_mut().rev().find(|family| family.metric.name == metric.name) {
            Some(family) => family.samples.push(sample),
            None => self.families.push(CollectedFamily { metric, samples: vec![sample] }),
        }
    }

    /// Notes once that a file, or one of several with the same placeholder, could not be read.
    pub(crate) fn cannot_read(&mut self, file: &'static str, error: &io::Error) {
        self.leave_out(file, reason(error));
    }

    /// Notes once that a file gives no series, for this reason.
    pub(crate) fn leave_out(&mut self, file: &'static str, reason: &'static str) {
        let unreadable = Unreadable { file, reason };
        if !self.unreadable.contains(&unreadable) {
            self.unreadable.push(unreadable);
        }
    }

    /// Adds the result of another collector. No two collectors have a metric in common.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.families.extend(other.families);
        self.pages.extend(other.pages);
        self.faulty_files.extend(other.faulty_files);
        self.unreadable.extend(other.unreadable);
    }

    /// The families in the model of a page.
    pub(crate) fn families<'a>(&'a self, arena: &'a Bump) -> Vec<Family<'a>> {
        self.families.iter().map(|family| family.on_page(arena)).collect()
    }
}

impl CollectedFamily {
    fn on_page<'a>(&'a self, arena: &'a Bump) -> Family<'a> {
        let Metric { name, kind, help, .. } = *self.metric;
        // One sample needs no set.
        let capacity = if self.samples.len() > 1 { self.samples.len() } else { 0 };
        let mut seen = HashSet::with_capacity_and_hasher(capacity, RandomState::default());
        // Each series once, because readers refuse a page with a repeated series. Two devices with one name would repeat it.
        let first = self.samples.iter().filter(|sample| capacity == 0 || seen.insert(&sample.labels));
        let series = first.map(|sample| Series {
            labels: sample.labels.on_page(arena),
            value: if kind == Kind::Counter { Value::Counter(sample.value, None) } else { Value::Number(sample.value) },
            created: None,
            timestamp: None,
        });
        Family { name, kind, help, unit: self.metric.unit_of_name(), series: series.collect() }
    }
}

impl Labels {
    pub(crate) fn new<const N: usize>(pairs: [(&'static str, &str); N]) -> Self {
        let filled = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let mut labels: Vec<_> = filled.map(|(name, value)| (name, value.to_owned())).collect();
        labels.sort_unstable_by_key(|(name, _)| *name);
        Self(labels.into())
    }

    pub(crate) fn none() -> Self {
        Self::new([])
    }

    pub(crate) fn pairs(&self) -> &[(&'static str, String)] {
        &self.0
    }

    fn on_page<'a>(&'a self, arena: &'a Bump) -> &'a [Label<'a>] {
        arena.alloc_slice_fill_iter(self.0.iter().map(|(name, value)| Label { name, value }))
    }
}

/// The value of the label `reason` for an error of the file system.
pub(crate) fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "not found",
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::WouldBlock => "has not answered an earlier scrape",
        io::ErrorKind::InvalidData => "malformed",
        io::ErrorKind::NotADirectory => "not a directory",
        io::ErrorKind::StaleNetworkFileHandle => "stale file handle",
        _ => "input or output error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Metric =
        Metric { name: "x_bytes_total", kind: Kind::Counter, unit: "bytes", help: "Bytes", labels: &["b", "a"] };

    #[test]
    fn a_result_becomes_families_of_a_page() {
        let mut collected = Collected::default();
        collected.push(&BYTES, &Labels::new([("b", "2"), ("none", ""), ("a", "1")]), 7.0);
        collected.push(&BYTES, &Labels::none(), 8.0);
        let arena = Bump::new();
        let families = collected.families(&arena);
        let [family] = &families[..] else { panic!("{families:?}") };
        assert_eq!((family.name, family.kind, family.unit, family.help), (BYTES.name, Kind::Counter, "bytes", "Bytes"));
        let sorted = [Label { name: "a", value: "1" }, Label { name: "b", value: "2" }];
        assert_eq!((family.series[0].labels, family.series[0].value), (&sorted[..], Value::Counter(7.0, None)));
        assert_eq!((family.series[1].labels, family.series[1].value), (&[][..], Value::Counter(8.0, None)));
    }

    #[test]
    fn a_series_stands_once_on_the_page() {
        let mut collected = Collected::default();
        for value in [1.0, 2.0] {
            collected.push(&BYTES, &Labels::new([("a", "1")]), value);
        }
        let arena = Bump::new();
        let series = &collected.families(&arena)[0].series;
        assert_eq!((series.len(), series[0].value), (1, Value::Counter(1.0, None)));
    }

    #[test]
    fn a_place_that_cannot_be_read_is_noted_once() {
        let mut collected = Collected::default();
        for _ in 0..3 {
            collected.cannot_read("proc/PID/io", &io::ErrorKind::PermissionDenied.into());
        }
        assert_eq!(collected.unreadable, [Unreadable { file: "proc/PID/io", reason: "permission denied" }]);
    }
}
