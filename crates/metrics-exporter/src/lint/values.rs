//! Findings about values that contradict their type: counters below 0, and histograms whose buckets do not add up.

use std::cmp::Ordering;

use crate::{
    exposition::model::{Family, Histogram, Summary, Value},
    lint::findings::Findings,
};

/// Adds findings about the values of all series.
pub(super) fn judge_values(family: &Family, findings: &mut Findings) {
    for series in &family.series {
        match series.value {
            Value::Number(_) => {}
            Value::Counter(value, _) => judge_counter(family, value, findings),
            Value::Summary(summary) => judge_summary(family, summary, findings),
            Value::Histogram(histogram) => judge_histogram(family, histogram, findings),
        }
    }
}

fn judge_counter(family: &Family, value: f64, findings: &mut Findings) {
    if value.is_nan() || value < 0.0 {
        findings.add(family.name, "a counter that is negative or not a number: count from 0 up, or make it a gauge");
    }
}

fn judge_summary(family: &Family, summary: &Summary, findings: &mut Findings) {
    if summary.quantiles.iter().any(|(quantile, _)| !(0.0..=1.0).contains(quantile)) {
        findings.add(family.name, "a quantile outside of 0 to 1: write 0.99 for 99 percent");
    }
    judge_totals(family, summary.sum, summary.count, findings);
}

fn judge_histogram(family: &Family, histogram: &Histogram, findings: &mut Findings) {
    judge_totals(family, histogram.sum, histogram.count, findings);
    let cumulative = || histogram.buckets.iter().map(|bucket| bucket.cumulative);
    if cumulative().any(|count| count.is_nan() || count < 0.0) {
        findings.add(family.name, "a bucket whose count is negative or not a number: count from 0 up");
    } else if !cumulative().is_sorted() {
        findings.add(
            family.name,
            "buckets that do not add up: each counts all observations up to its bound, and so at least as many as the one before",
        );
    }
    if let (Some(last), Some(count)) = (histogram.buckets.last(), histogram.count)
        && last.cumulative.partial_cmp(&count) != Some(Ordering::Equal)
    {
        findings.add(family.name, "buckets that do not add up: the bucket +Inf and _count must be equal");
    }
}

fn judge_totals(family: &Family, sum: Option<f64>, count: Option<f64>, findings: &mut Findings) {
    if sum.is_none() {
        findings.add(family.name, "no _sum, so that there is no average: add it");
    }
    if count.is_none() {
        findings.add(family.name, "no _count, so that there is no rate: add it");
    }
}
