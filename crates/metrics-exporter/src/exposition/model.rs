//! The model of a page: families of metrics, each with its series. Every format is read into it and written from it.
//!
//! Text borrows from the bodies that sources sent, and slices from the arena of the page, so that ten thousand series cost a
//! handful of allocations and go away at once.

/// All series of one name
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family<'a> {
    /// The name of its samples in text format 0.0.4, without `_bucket`, `_sum` and `_count`: a counter has its `_total`, an info
    /// its `_info`
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// Unescaped; empty for none
    pub(crate) help: &'a str,
    /// Empty for none; otherwise the name ends with it, `_total` and `_info` aside
    pub(crate) unit: &'a str,
    /// No two series of one source have the same labels.
    pub(crate) series: Vec<Series<'a>>,
}

/// The types of OpenMetrics 1.0; text format 0.0.4 has the first five
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `untyped` in text format 0.0.4
    Unknown,
    Gauge,
    Counter,
    Summary,
    Histogram,
    GaugeHistogram,
    /// Its value is 1; `gauge` in text format 0.0.4
    Info,
    /// One series a state, whose label has the family's name; 0 or 1; `gauge` in text format 0.0.4
    StateSet,
}

impl Kind {
    /// The name of the type in OpenMetrics
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }
}

/// One series, or one whole summary or histogram
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series<'a> {
    /// Sorted by name, each name once; without `le` of histograms and `quantile` of summaries; no value is empty
    pub(crate) labels: &'a [Label<'a>],
    pub(crate) value: Value<'a>,
    /// Seconds since the epoch; counters, summaries and histograms only
    pub(crate) created: Option<f64>,
    /// Milliseconds since the epoch, where the source gave a time
    pub(crate) timestamp: Option<i64>,
}

impl Series<'_> {
    /// Lines that it has in text, without its creation and its native buckets
    pub(crate) fn lines(&self) -> usize {
        match self.value {
            Value::Number(_) | Value::Counter(..) => 1,
            Value::Summary(summary) => summary.quantiles.len() + 2,
            Value::Histogram(histogram) => histogram.buckets.len() + 2,
        }
    }
}

/// A label of a series or of an exemplar
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    /// Unescaped
    pub(crate) value: &'a str,
}

/// The value of a series. The family's kind determines the variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// Unknown, gauge, info and state set
    Number(f64),
    Counter(f64, Option<&'a Exemplar<'a>>),
    Summary(&'a Summary<'a>),
    /// Histogram and gauge histogram
    Histogram(&'a Histogram<'a>),
}

/// An example of what a counter or a bucket counts
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar<'a> {
    pub(crate) labels: &'a [Label<'a>],
    pub(crate) value: f64,
    /// Seconds since the epoch
    pub(crate) timestamp: Option<f64>,
}

/// Quantiles, each with its value, sorted
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary<'a> {
    pub(crate) quantiles: &'a [(f64, f64)],
    pub(crate) sum: Option<f64>,
    pub(crate) count: Option<f64>,
}

/// Classic buckets, native ones, or both
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Histogram<'a> {
    /// Sorted by their bound; the last one is `+Inf` unless there are none
    pub(crate) buckets: &'a [Bucket<'a>],
    pub(crate) sum: Option<f64>,
    pub(crate) count: Option<f64>,
    pub(crate) native: Option<&'a NativeBuckets<'a>>,
}

/// A classic bucket
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket<'a> {
    pub(crate) upper_bound: f64,
    /// Observations up to the bound
    pub(crate) cumulative: f64,
    pub(crate) exemplar: Option<&'a Exemplar<'a>>,
}

/// Exponential buckets: the fields of the same names in io.prometheus.client.Histogram. Only protobuf has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NativeBuckets<'a> {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: f64,
    pub(crate) positive: NativeSide<'a>,
    pub(crate) negative: NativeSide<'a>,
    /// True when the counts are floats, in `zero_count_float` and `*_count`
    pub(crate) is_float: bool,
    pub(crate) exemplars: &'a [Exemplar<'a>],
}

/// The native buckets of one sign
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NativeSide<'a> {
    /// The offset to the end of the previous span, and the length
    pub(crate) spans: &'a [(i32, u32)],
    /// Integer histograms: the difference of each count to the previous one
    pub(crate) deltas: &'a [i64],
    /// Float histograms: the counts
    pub(crate) counts: &'a [f64],
}
