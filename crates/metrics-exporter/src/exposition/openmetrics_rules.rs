//! The rules of OpenMetrics 1.0 for names and values, which both the parser and the encoder use.

use crate::exposition::model::{Bucket, Exemplar, Histogram, Kind, Label, Series, Summary, Value};

/// The reason for leaving a native histogram out of the text formats
pub(crate) const NATIVE_ONLY: &str = "native histogram without classic buckets";

/// The reason for leaving a series with such a label out of OpenMetrics
pub(crate) const RESERVED_LABEL: &str = "a reserved name of a label";

/// The suffixes that a family's samples may have behind the family's name. No other family may use one of these names.
pub(crate) const fn suffixes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unknown | Kind::Gauge | Kind::StateSet => &[""],
        Kind::Counter => &["_total", "_created"],
        Kind::Summary => &["", "_count", "_sum", "_created"],
        Kind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        Kind::GaugeHistogram => &["", "_bucket", "_gcount", "_gsum"],
        Kind::Info => &["_info"],
    }
}

/// The name of a sample, split in a unique way: `x_count` without a suffix becomes `x` with `_count`.
pub(crate) fn sample_name<'a>(stem: &'a str, suffix: &'static str) -> (&'a str, &'static str) {
    if !suffix.is_empty() {
        return (stem, suffix);
    }
    // At most one suffix matches, because none is the end of another.
    let mut parts = SUFFIXES.iter().filter_map(|suffix| Some((stem.strip_suffix(suffix)?, *suffix)));
    parts.next().unwrap_or((stem, ""))
}

/// The suffixes of all formats
const SUFFIXES: [&str; 8] = ["_total", "_created", "_count", "_sum", "_bucket", "_gcount", "_gsum", "_info"];

/// The histogram with the sum and the count that OpenMetrics allows: both or neither, and neither beside buckets below zero. Only
/// the sum is lost, because the bucket `+Inf` has the count.
pub(crate) fn with_allowed_totals<'a>(histogram: &Histogram<'a>, kind: Kind) -> Histogram<'a> {
    let is_negative = histogram.buckets.first().is_some_and(|first| first.upper_bound < 0.0);
    let has_totals = histogram.sum.is_some() && !(is_negative && kind == Kind::Histogram);
    let sum = histogram.sum.filter(|_| has_totals);
    let infinite = histogram.buckets.last().map(|last| last.cumulative);
    let count = histogram.count.or(infinite).filter(|_| has_totals);
    Histogram { sum, count, ..*histogram }
}

/// True when a family of this name, which has no suffix, may have this unit.
pub(crate) fn is_unit_of(unit: &str, name: &str, kind: Kind) -> bool {
    let is_suffix = name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'));
    unit.is_empty() || (is_suffix && !matches!(kind, Kind::Info | Kind::StateSet))
}

/// Checks that a series may stand in a family of this name and kind. The error is the reason.
pub(crate) fn judge(name: &str, kind: Kind, series: &Series) -> Result<(), &'static str> {
    judge_labels(series.labels)?;
    if series.created.is_some_and(|seconds| !seconds.is_finite()) {
        return Err("a time of creation that is no number");
    }
    match (series.value, kind) {
        (Value::Number(_), Kind::Unknown | Kind::Gauge) => Ok(()),
        (Value::Number(value), Kind::Info) => check(is(value, 1.0), "an info that is not 1"),
        (Value::Number(value), Kind::StateSet) => {
            check(has_label(series.labels, name), "a state without the label of its family's name")?;
            check(is(value, 0.0) || is(value, 1.0), "a state that is neither 0 nor 1")
        }
        (Value::Counter(value, _), Kind::Counter) => check(value >= 0.0, "a counter that is NaN or negative"),
        (Value::Summary(summary), Kind::Summary) => {
            judge_own_label(series)?;
            judge_summary(summary)
        }
        (Value::Histogram(histogram), Kind::Histogram | Kind::GaugeHistogram) => {
            judge_own_label(series)?;
            check(!histogram.buckets.is_empty() || histogram.native.is_none(), NATIVE_ONLY)?;
            judge_buckets(histogram.buckets)?;
            judge_totals(histogram, kind)
        }
        _ => Err("a value that is not of the family's type"),
    }
}

/// Checks that a histogram has no label `le` of its own and a summary no `quantile`, because its samples would have it twice, which
/// every reader refuses.
pub(crate) fn judge_own_label(series: &Series) -> Result<(), &'static str> {
    match series.value {
        Value::Summary(_) => check(!has_label(series.labels, "quantile"), "a summary with a label quantile of its own"),
        Value::Histogram(_) => check(!has_label(series.labels, "le"), "a histogram with a label le of its own"),
        Value::Number(_) | Value::Counter(..) => Ok(()),
    }
}

/// Checks the names of the labels: OpenMetrics reserves names that begin with two underscores.
pub(crate) fn judge_labels(labels: &[Label]) -> Result<(), &'static str> {
    check(!labels.iter().any(|label| label.name.starts_with("__")), RESERVED_LABEL)
}

/// Checks that an exemplar may stand at a counter (no bound), or at a bucket with this bound.
pub(crate) fn judge_exemplar(exemplar: &Exemplar, bound: Option<f64>) -> Result<(), &'static str> {
    let characters = |label: &Label| label.name.chars().count() + label.value.chars().count();
    let length: usize = exemplar.labels.iter().map(characters).sum();
    judge_labels(exemplar.labels)?;
    check(length <= MAX_EXEMPLAR, "an exemplar with more than 128 characters")?;
    check(bound.is_none_or(|bound| exemplar.value <= bound), "an exemplar that is outside of its bucket")?;
    check(exemplar.timestamp.is_none_or(f64::is_finite), "an exemplar whose time is no number")
}

/// True when one of the sorted labels has this name.
pub(crate) fn has_label(labels: &[Label], name: &str) -> bool {
    labels.binary_search_by_key(&name, |label| label.name).is_ok()
}

fn judge_summary(summary: &Summary) -> Result<(), &'static str> {
    for (quantile, value) in summary.quantiles {
        check((0.0..=1.0).contains(quantile), "a quantile that is not between 0 and 1")?;
        // NaN means that there were no recent observations.
        check(value.is_nan() || *value >= 0.0, "the value of a quantile is negative")?;
    }
    check(summary.sum.is_none_or(|sum| sum >= 0.0), "a sum that is NaN or negative")?;
    check(summary.count.is_none_or(is_count), "a count that is no whole number")
}

fn judge_buckets(buckets: &[Bucket]) -> Result<(), &'static str> {
    let is_infinite = buckets.last().is_some_and(|last| is(last.upper_bound, f64::INFINITY));
    check(is_infinite, "a histogram without a bucket +Inf")?;
    check(buckets.iter().all(|bucket| is_count(bucket.cumulative)), "a bucket that is no whole number")?;
    let is_rising = |one: &Bucket, next: &Bucket| one.upper_bound < next.upper_bound;
    check(buckets.is_sorted_by(is_rising), "buckets that are out of order")?;
    check(buckets.is_sorted_by(|one, next| one.cumulative <= next.cumulative), "buckets that do not add up")
}

fn judge_totals(histogram: &Histogram, kind: Kind) -> Result<(), &'static str> {
    let (sum, count) = (histogram.sum, histogram.count);
    check(sum.is_some() == count.is_some(), "a sum without a count, or a count without a sum")?;
    let (Some(sum), Some(count)) = (sum, count) else { return Ok(()) };
    let last = histogram.buckets.last().map_or(count, |last| last.cumulative);
    check(is(last, count), "a count that is not the bucket +Inf")?;
    let is_negative = histogram.buckets.first().is_some_and(|first| first.upper_bound < 0.0);
    if kind == Kind::GaugeHistogram {
        check(!sum.is_nan() && (is_negative || sum >= 0.0), "a sum that is NaN or negative")
    } else {
        check(!is_negative, "a sum beside buckets below zero")?;
        check(sum >= 0.0, "a sum that is NaN or negative")
    }
}

/// True for a whole number that is not negative.
fn is_count(value: f64) -> bool {
    value >= 0.0 && is(value.fract(), 0.0)
}

/// Equality, in which 0 equals -0.
#[expect(clippy::float_cmp, reason = "no arithmetic was done with them")]
fn is(value: f64, other: f64) -> bool {
    value == other
}

fn check(holds: bool, fault: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(fault) }
}

/// The most Unicode characters in names and values of an exemplar's labels
const MAX_EXEMPLAR: usize = 128;
