//! Numbers of metrics.proto, package io.prometheus.client: the fields of each message, and the types of metrics.

/// `MetricFamily`
pub(crate) mod family {
    pub(crate) const NAME: u32 = 1;
    pub(crate) const HELP: u32 = 2;
    pub(crate) const TYPE: u32 = 3;
    pub(crate) const METRIC: u32 = 4;
    pub(crate) const UNIT: u32 = 5;
}

/// `MetricType`
pub(crate) mod metric_type {
    pub(crate) const COUNTER: u64 = 0;
    pub(crate) const GAUGE: u64 = 1;
    pub(crate) const SUMMARY: u64 = 2;
    pub(crate) const UNTYPED: u64 = 3;
    pub(crate) const HISTOGRAM: u64 = 4;
    pub(crate) const GAUGE_HISTOGRAM: u64 = 5;
}

/// `Metric`
pub(crate) mod metric {
    pub(crate) const LABEL: u32 = 1;
    pub(crate) const GAUGE: u32 = 2;
    pub(crate) const COUNTER: u32 = 3;
    pub(crate) const SUMMARY: u32 = 4;
    pub(crate) const UNTYPED: u32 = 5;
    pub(crate) const TIMESTAMP_MS: u32 = 6;
    pub(crate) const HISTOGRAM: u32 = 7;
}

/// `LabelPair`
pub(crate) mod label {
    pub(crate) const NAME: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
}

/// `Gauge`, `Untyped`, and `Counter`, which has more
pub(crate) mod number {
    pub(crate) const VALUE: u32 = 1;
    pub(crate) const EXEMPLAR: u32 = 2;
    pub(crate) const CREATED: u32 = 3;
}

/// `Summary`
pub(crate) mod summary {
    pub(crate) const COUNT: u32 = 1;
    pub(crate) const SUM: u32 = 2;
    pub(crate) const QUANTILE: u32 = 3;
    pub(crate) const CREATED: u32 = 4;
}

/// `Quantile`
pub(crate) mod quantile {
    pub(crate) const QUANTILE: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
}

/// `Histogram`
pub(crate) mod histogram {
    pub(crate) const COUNT: u32 = 1;
    pub(crate) const SUM: u32 = 2;
    pub(crate) const BUCKET: u32 = 3;
    pub(crate) const COUNT_FLOAT: u32 = 4;
    pub(crate) const SCHEMA: u32 = 5;
    pub(crate) const ZERO_THRESHOLD: u32 = 6;
    pub(crate) const ZERO_COUNT: u32 = 7;
    pub(crate) const ZERO_COUNT_FLOAT: u32 = 8;
    pub(crate) const NEGATIVE_SPAN: u32 = 9;
    pub(crate) const NEGATIVE_DELTA: u32 = 10;
    pub(crate) const NEGATIVE_COUNT: u32 = 11;
    pub(crate) const POSITIVE_SPAN: u32 = 12;
    pub(crate) const POSITIVE_DELTA: u32 = 13;
    pub(crate) const POSITIVE_COUNT: u32 = 14;
    pub(crate) const CREATED: u32 = 15;
    pub(crate) const EXEMPLARS: u32 = 16;
}

/// `Bucket`
pub(crate) mod bucket {
    pub(crate) const COUNT: u32 = 1;
    pub(crate) const UPPER_BOUND: u32 = 2;
    pub(crate) const EXEMPLAR: u32 = 3;
    pub(crate) const COUNT_FLOAT: u32 = 4;
}

/// `BucketSpan`
pub(crate) mod span {
    pub(crate) const OFFSET: u32 = 1;
    pub(crate) const LENGTH: u32 = 2;
}

/// `Exemplar`
pub(crate) mod exemplar {
    pub(crate) const LABEL: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
    pub(crate) const TIMESTAMP: u32 = 3;
}

/// `google.protobuf.Timestamp`
pub(crate) mod timestamp {
    pub(crate) const SECONDS: u32 = 1;
    pub(crate) const NANOS: u32 = 2;
}
