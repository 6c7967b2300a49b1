//! The counts that protobuf can hold: whole numbers, and floats in histograms.

use crate::exposition::{
    model::{Histogram, Series, Summary, Value},
    openmetrics_rules::judge_own_label,
};

/// The form of all counts of one series
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    Integers,
    /// A histogram with a count that is not whole
    Floats,
}

/// The form of the series' counts, or the reason why it is left out.
pub(super) fn fit(series: &Series) -> Result<Counts, &'static str> {
    judge_own_label(series)?;
    match series.value {
        Value::Number(_) | Value::Counter(..) => Ok(Counts::Integers),
        Value::Summary(summary) => fit_summary(summary),
        Value::Histogram(histogram) => fit_histogram(histogram),
    }
}

/// The number of observations: the count, or else that of the last bucket.
pub(super) fn total(histogram: &Histogram) -> Option<f64> {
    histogram.count.or_else(|| Some(histogram.buckets.last()?.cumulative))
}

/// The count as a whole number; `None` when it is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is whole and in range")]
pub(super) fn whole(count: f64) -> Option<u64> {
    ((0.0..TWO_TO_64).contains(&count) && count.fract() == 0.0).then_some(count as u64)
}

fn fit_summary(summary: &Summary) -> Result<Counts, &'static str> {
    let count = summary.count.ok_or("a summary without a count")?;
    if whole(count).is_some() { Ok(Counts::Integers) } else { Err("a count that is no whole number") }
}

fn fit_histogram(histogram: &Histogram) -> Result<Counts, &'static str> {
    let total = total(histogram).ok_or("a histogram without a count")?;
    let cumulative = histogram.buckets.iter().map(|bucket| bucket.cumulative);
    let zero_count = histogram.native.map(|native| native.zero_count);
    let counts = || cumulative.clone().chain(zero_count).chain([total]);
    if counts().any(|count| count.is_nan() || count < 0.0) {
        return Err("a count that is negative or not a number");
    }
    let is_whole = counts().all(|count| whole(count).is_some());
    match histogram.native {
        Some(native) if native.is_float => Ok(Counts::Floats),
        // One float count makes all counts floats, and these native buckets have no float counts.
        Some(_) if !is_whole => Err("whole native buckets beside a count that is no whole number"),
        _ if is_whole => Ok(Counts::Integers),
        _ => Ok(Counts::Floats),
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
