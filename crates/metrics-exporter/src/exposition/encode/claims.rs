//! The sample names of each family on a page, so that no two families use the same name.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::exposition::{model::Kind, openmetrics_rules::sample_name};

/// The reason for leaving out a family that would use a claimed name
pub(super) const CLAIMED: &str = "a name of another family";

/// The sample names of the families so far
#[derive(Default)]
pub(super) struct Claims<'a>(HashSet<(&'a str, &'static str), RandomState>);

impl<'a> Claims<'a> {
    /// Claims the family's name with each of these suffixes. `false`, and no claim, when one of them is claimed already.
    pub(super) fn take(&mut self, name: &'a str, suffixes: &[&'static str]) -> bool {
        let samples = || suffixes.iter().map(|suffix| sample_name(name, suffix));
        let is_free = !samples().any(|sample| self.0.contains(&sample));
        if is_free {
            self.0.extend(samples());
        }
        is_free
    }
}

/// The suffixes that a scraper may give to the samples of a family of text format 0.0.4 or protobuf.
pub(super) fn suffixes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Summary => &["", "_sum", "_count"],
        Kind::Histogram => &["", "_bucket", "_sum", "_count"],
        Kind::GaugeHistogram => &["", "_bucket", "_sum", "_count", "_gsum", "_gcount"],
        Kind::Unknown | Kind::Gauge | Kind::Counter | Kind::Info | Kind::StateSet => &[""],
    }
}
