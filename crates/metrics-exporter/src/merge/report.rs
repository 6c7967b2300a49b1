//! The report of a merge about the series of each source, for `/debug/merge` and for metrics.

use std::collections::BTreeMap;

use super::{SourcePage, cardinality::Cardinality};
use crate::exposition::{model::Series, page::Note};

/// The most notes of one page. Each is about one name of one source, and a broken source can send any number of names.
const MAX_NOTES: usize = 500;
/// The most bytes of a name or an example in a note
const MAX_TEXT: usize = 256;
/// The most names whose series over a cap are counted apart, because each is a series of a metric
const MAX_OVERFLOWS: usize = 20;

/// The report of a merge about the series of each source
#[derive(Debug, Default)]
pub(crate) struct MergeReport {
    /// In the order of the pages
    pub(crate) sources: Vec<SourceReport>,
    pub(crate) notes: Vec<SourceNote>,
    /// The number of notes beyond the bound
    pub(crate) unlisted_notes: usize,
    /// The cuts of caps: the largest by name, the others in sum
    pub(crate) overflows: Vec<Overflow>,
    pub(crate) cardinality: Cardinality,
    /// True when there was no room to remember a duplicate, so that its series may change their labels when a source is down
    pub(crate) is_memory_full: bool,
}

/// The number of series that a cap cut
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overflow {
    /// The index of the source
    pub(crate) source: usize,
    /// The name; empty for the sum of all names that are not counted apart
    pub(crate) metric: String,
    /// The cap
    pub(crate) limit: Reason,
    pub(crate) series: usize,
}

/// The counts of one source's series; `received` is the sum of `kept` and of all of `left_out`
#[derive(Debug, Default)]
pub(crate) struct SourceReport {
    pub(crate) name: String,
    pub(crate) received: usize,
    pub(crate) kept: usize,
    /// Series that got the label `source` because another source has a series with the same labels
    pub(crate) labelled: usize,
    /// Series that are not on the page
    pub(crate) left_out: BTreeMap<Reason, usize>,
}

/// A note and the source that it is about
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceNote {
    /// The index of the source
    pub(crate) source: usize,
    pub(crate) note: Note,
}

/// The reason why a series is left out or changed
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// A rule drops the series.
    DroppedByRule,
    /// Rules treat the samples of one histogram or summary in different ways.
    SplitByRule,
    /// A rule sets a name that no metric can have.
    InvalidName,
    /// Rules make the labels of two series of one source equal.
    EqualByRule,
    /// The rules of a source took too long, which costs its whole page.
    SlowRules,
    /// The exporter itself has a metric of this name.
    OwnMetric,
    /// An earlier source gives the name another type.
    TypeConflict,
    /// An earlier source gives the name another help; nothing is left out.
    HelpConflict,
    /// Another source has a series with the same labels.
    Duplicate,
    /// The cap of a name
    MetricLimit,
    /// The cap of a source
    SourceLimit,
    /// The cap of the page
    PageLimit,
}

impl Reason {
    /// The value of the label `reason` or `limit`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::DroppedByRule => "dropped_by_rule",
            Self::SplitByRule => "split_by_rule",
            Self::InvalidName => "invalid_name",
            Self::EqualByRule => "equal_by_rule",
            Self::SlowRules => "slow_rules",
            Self::OwnMetric => "own_metric",
            Self::TypeConflict => "type_conflict",
            Self::HelpConflict => "help_conflict",
            Self::Duplicate => "duplicate",
            Self::MetricLimit => "metric_limit",
            Self::SourceLimit => "source_limit",
            Self::PageLimit => "page_limit",
        }
    }
}

impl MergeReport {
    /// An empty report for these sources.
    pub(super) fn of(pages: &[SourcePage]) -> Self {
        let source = |page: &SourcePage| SourceReport {
            name: page.name.to_owned(),
            received: page.families.iter().map(|family| family.series.len()).sum(),
            ..SourceReport::default()
        };
        Self { sources: pages.iter().map(source).collect(), ..Self::default() }
    }

    /// Counts series that are left out, and adds a note with the reason.
    pub(super) fn leave_out(&mut self, source: usize, family: &str, reason: Reason, series: usize, example: String) {
        if series == 0 {
            return;
        }
        *self.sources[source].left_out.entry(reason).or_default() += series;
        if reason == Reason::DroppedByRule {
            // No note, because the operator wants it so, and such notes would leave no room for others.
            return;
        }
        if matches!(reason, Reason::MetricLimit | Reason::SourceLimit | Reason::PageLimit) {
            self.overflow(Overflow { source, metric: family.to_owned(), limit: reason, series });
        }
        self.note(source, family, reason, series, example);
    }

    /// Counts the cut of a name. Beyond the bound the smallest cut is added to the sum of its source, which has no name.
    fn overflow(&mut self, mut new: Overflow) {
        cut(&mut new.metric);
        let is_same =
            |known: &&mut Overflow| (known.source, known.limit, &known.metric) == (new.source, new.limit, &new.metric);
        // Two long names may be equal after they were shortened.
        if let Some(known) = self.overflows.iter_mut().find(is_same) {
            known.series += new.series;
            return;
        }
        self.overflows.push(new);
        let named = self.overflows.iter().enumerate().filter(|(_, overflow)| !overflow.metric.is_empty());
        if named.clone().count() <= MAX_OVERFLOWS {
            return;
        }
        let smallest = named.rev().min_by_key(|(_, overflow)| overflow.series).map(|(at, _)| at);
        let Some(smallest) = smallest.map(|at| self.overflows.remove(at)) else { return };
        let is_same = |known: &&mut Overflow| {
            known.metric.is_empty() && (known.source, known.limit) == (smallest.source, smallest.limit)
        };
        match self.overflows.iter_mut().find(is_same) {
            Some(rest) => rest.series += smallest.series,
            None => self.overflows.push(Overflow { metric: String::new(), ..smallest }),
        }
    }

    /// Adds a note about series, also about those that stay on the page.
    pub(super) fn note(&mut self, source: usize, family: &str, reason: Reason, series: usize, mut example: String) {
        if self.notes.len() == MAX_NOTES {
            self.unlisted_notes += 1;
            return;
        }
        let mut family = family.to_owned();
        cut(&mut family);
        cut(&mut example);
        self.notes.push(SourceNote { source, note: Note { family, reason: reason.label(), example, series } });
    }
}

/// The names of a series' labels, where rules have not dropped yet what must not be printed.
pub(super) fn names_text(series: &Series) -> String {
    let names: Vec<_> = series.labels.iter().map(|label| label.name).collect();
    if names.is_empty() { String::new() } else { format!("{{{}}}", names.join(",")) }
}

/// The labels of a series in the form of text format.
pub(super) fn labels_text(series: &Series) -> String {
    let labels: Vec<_> = series.labels.iter().map(|label| format!("{}={:?}", label.name, label.value)).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflows_beyond_the_bound_are_counted_together() {
        let source = || SourceReport::default();
        let mut report = MergeReport { sources: vec![source(), source()], ..MergeReport::default() };
        for nth in 0..30 {
            report.leave_out(nth % 2, &format!("name{nth:02}"), Reason::SourceLimit, 100 - nth, String::new());
        }
        assert_eq!(report.overflows.len(), MAX_OVERFLOWS + 2);
        let rest: Vec<_> = report.overflows.iter().filter(|overflow| overflow.metric.is_empty()).collect();
        let expected = |source, series| Overflow { source, metric: String::new(), limit: Reason::SourceLimit, series };
        assert_eq!(rest, [&expected(0, 80 + 78 + 76 + 74 + 72), &expected(1, 79 + 77 + 75 + 73 + 71)]);
    }

    #[test]
    fn names_that_are_equal_after_shortening_are_counted_together() {
        let mut report = MergeReport { sources: vec![SourceReport::default()], ..MergeReport::default() };
        for end in ["a", "b"] {
            report.leave_out(0, &["x".repeat(300), end.to_owned()].concat(), Reason::SourceLimit, 2, String::new());
        }
        assert_eq!(report.overflows.iter().map(|overflow| overflow.series).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn notes_have_bounds() {
        let mut report = MergeReport { sources: vec![SourceReport::default()], ..MergeReport::default() };
        for nth in 0..600 {
            report.leave_out(0, &format!("{nth}{}", "é".repeat(300)), Reason::TypeConflict, 1, "x".repeat(300));
        }
        assert_eq!((report.notes.len(), report.unlisted_notes), (MAX_NOTES, 100));
        assert_eq!(report.sources[0].left_out[&Reason::TypeConflict], 600);
        let note = &report.notes[0].note;
        assert!(note.family.len() <= MAX_TEXT && note.family.ends_with("é…") && note.example.len() <= MAX_TEXT);
    }
}
