//! One point of a metric while its lines are read.

use bumpalo::Bump;

use crate::exposition::{
    model::{Bucket, Exemplar, Histogram, Kind, Label, Series, Summary, Value},
    parse::{
        number,
        openmetrics::sample::{Role, Sample},
    },
};

/// The samples so far
#[derive(Debug, Default)]
pub(super) struct Point<'a> {
    pub(super) labels: &'a [Label<'a>],
    pub(super) timestamp: Option<i64>,
    value: Option<f64>,
    exemplar: Option<&'a Exemplar<'a>>,
    sum: Option<f64>,
    count: Option<f64>,
    created: Option<f64>,
    buckets: Vec<Bucket<'a>>,
    quantiles: Vec<(f64, f64)>,
    /// The reason why the point is left out
    fault: Option<&'static str>,
}

/// The result of adding a sample
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    /// The point has this sample already.
    Repeated,
}

impl<'a> Point<'a> {
    /// Makes this the point of another metric or another time, and keeps the allocated memory.
    pub(super) fn restart(&mut self, labels: &'a [Label<'a>], timestamp: Option<i64>) {
        let Self { mut buckets, mut quantiles, .. } = std::mem::take(self);
        buckets.clear();
        quantiles.clear();
        *self = Self { labels, timestamp, buckets, quantiles, ..Self::default() };
    }

    /// The point that the series was made of.
    pub(super) fn of(series: &Series<'a>) -> Self {
        let Series { labels, value, created, timestamp } = *series;
        let point = Self { labels, timestamp, created, ..Self::default() };
        match value {
            Value::Number(value) => Self { value: Some(value), ..point },
            Value::Counter(value, exemplar) => Self { value: Some(value), exemplar, ..point },
            Value::Summary(&Summary { quantiles, sum, count }) => {
                Self { quantiles: quantiles.to_vec(), sum, count, ..point }
            }
            Value::Histogram(&Histogram { buckets, sum, count, .. }) => {
                Self { buckets: buckets.to_vec(), sum, count, ..point }
            }
        }
    }

    /// Adds a sample of this metric and time.
    pub(super) fn add(&mut self, kind: Kind, sample: &Sample<'a>) -> Result<Taken, &'static str> {
        let is_allowed = matches!((kind, sample.role), (Kind::Counter, Role::Value) | (_, Role::Bucket));
        if sample.exemplar.is_some() && !is_allowed {
            return Err("an exemplar at something that is neither a counter nor a bucket");
        }
        if sample.labels.aside.is_some() && !matches!(sample.role, Role::Bucket | Role::Quantile) {
            self.fault = Some("le or quantile at a sample that has none");
            return Ok(Taken::New);
        }
        let number = match sample.role {
            Role::Bucket => return Ok(self.add_bucket(sample)),
            Role::Quantile => return Ok(self.add_quantile(sample)),
            Role::Value => {
                self.exemplar = sample.exemplar;
                &mut self.value
            }
            Role::Sum => &mut self.sum,
            Role::Count => &mut self.count,
            Role::Created => &mut self.created,
        };
        if number.is_some() {
            return Ok(Taken::Repeated);
        }
        *number = Some(sample.value);
        Ok(Taken::New)
    }

    /// Makes a series of the model, for counters, summaries and histograms. The error is the reason why the point is none.
    pub(super) fn series(&self, arena: &'a Bump, kind: Kind) -> Result<Series<'a>, &'static str> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let value = match kind {
            Kind::Counter => Value::Counter(self.value.ok_or("a counter without its _total")?, self.exemplar),
            Kind::Summary => {
                let mut quantiles = self.quantiles.clone();
                quantiles.sort_by(|(one, _), (other, _)| one.total_cmp(other));
                let quantiles = arena.alloc_slice_copy(&quantiles);
                Value::Summary(arena.alloc(Summary { quantiles, sum: self.sum, count: self.count }))
            }
            _ => {
                let buckets = self.all_buckets(arena)?;
                let histogram = Histogram { buckets, sum: self.sum, count: self.count, native: None };
                Value::Histogram(arena.alloc(histogram))
            }
        };
        let created = self.created.filter(|seconds| seconds.is_finite());
        Ok(Series { labels: self.labels, value, created, timestamp: self.timestamp })
    }

    /// The buckets sorted by bound. A missing bucket `+Inf` gets the value of the count.
    fn all_buckets(&self, arena: &'a Bump) -> Result<&'a [Bucket<'a>], &'static str> {
        let has_infinity = self.buckets.iter().any(|bucket| bucket.upper_bound == f64::INFINITY);
        let is_sorted = self.buckets.is_sorted_by(|one, next| one.upper_bound < next.upper_bound);
        if has_infinity && is_sorted {
            return Ok(arena.alloc_slice_copy(&self.buckets));
        }
        let mut buckets = self.buckets.clone();
        if !has_infinity {
            let cumulative = self.count.ok_or("neither a bucket +Inf nor a count")?;
            buckets.push(Bucket { upper_bound: f64::INFINITY, cumulative, exemplar: None });
        }
        buckets.sort_by(|one, other| one.upper_bound.total_cmp(&other.upper_bound));
        buckets.dedup_by(|later, first| later.upper_bound.total_cmp(&first.upper_bound).is_eq());
        Ok(arena.alloc_slice_copy(&buckets))
    }

    fn add_bucket(&mut self, sample: &Sample<'a>) -> Taken {
        let Some(upper_bound) = bound(sample) else {
            self.fault = Some("a bucket without a valid label le");
            return Taken::New;
        };
        if self.buckets.last().is_some_and(|last| last.upper_bound.total_cmp(&upper_bound).is_eq()) {
            return Taken::Repeated;
        }
        self.buckets.push(Bucket { upper_bound, cumulative: sample.value, exemplar: sample.exemplar });
        Taken::New
    }

    fn add_quantile(&mut self, sample: &Sample<'a>) -> Taken {
        let Some(quantile) = bound(sample) else {
            self.fault = Some("a quantile without a valid label quantile");
            return Taken::New;
        };
        if self.quantiles.iter().any(|(other, _)| other.total_cmp(&quantile).is_eq()) {
            return Taken::Repeated;
        }
        if self.quantiles.len() == MAX_QUANTILES {
            self.fault = Some("too many quantiles");
            return Taken::New;
        }
        self.quantiles.push((quantile, sample.value));
        Taken::New
    }
}

/// The number in `le` or `quantile`. -0 becomes 0, so that each bound has one form.
fn bound(sample: &Sample) -> Option<f64> {
    let bound = number::float(sample.labels.aside?)?;
    (!bound.is_nan()).then_some(bound + 0.0)
}

/// The most quantiles; the search for repeated ones is linear
const MAX_QUANTILES: usize = 1000;
