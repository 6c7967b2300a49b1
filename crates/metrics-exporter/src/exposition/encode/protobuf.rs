//! Writes the delimited messages of io.prometheus.client.MetricFamily.
//!
//! An info and a state set are gauges. Counts are whole numbers or, in histograms, floats; a series with any other count is left
//! out. A missing sum is written as NaN, because readers read a missing field as 0.

mod counts;
mod wire;

use crate::exposition::{
    encode::{
        claims::{self, CLAIMED, Claims},
        protobuf::{
            counts::{Counts, fit},
            wire::Writer,
        },
    },
    example,
    metrics_proto::{
        bucket, exemplar, family as field, histogram, label, metric, metric_type, number, quantile, span, summary,
        timestamp,
    },
    model::{Exemplar, Family, Histogram, Kind, Label, NativeBuckets, NativeSide, Series, Summary, Value},
    notes::Notes,
    page::Note,
};

/// Appends the families to the page, and returns notes about the series that are left out.
pub(super) fn encode(families: &[Family], page: &mut Vec<u8>) -> Vec<Note> {
    let mut notes = Notes::default();
    let mut writer = Writer::new(page);
    let mut claims = Claims::default();
    for family in families {
        if family.series.iter().any(|series| fit(series).is_ok()) {
            // The message could hold it, but a scraper would make the same series of a gauge x_count and a histogram x.
            if !claims.take(family.name, claims::suffixes(family.kind)) {
                notes.add_many(family.name, CLAIMED, family.series.len(), || family.name.to_owned());
                continue;
            }
            writer.delimited(|writer| write_family(writer, family));
        }
        for series in &family.series {
            if let Err(reason) = fit(series) {
                notes.add(family.name, reason, || example::of(family.name, series.labels));
            }
        }
    }
    notes.into_vec()
}

fn write_family(writer: &mut Writer, family: &Family) {
    writer.text(field::NAME, family.name);
    if !family.help.is_empty() {
        writer.text(field::HELP, family.help);
    }
    let kind = match family.kind {
        Kind::Unknown => metric_type::UNTYPED,
        Kind::Gauge | Kind::Info | Kind::StateSet => metric_type::GAUGE,
        Kind::Counter => metric_type::COUNTER,
        Kind::Summary => metric_type::SUMMARY,
        Kind::Histogram => metric_type::HISTOGRAM,
        Kind::GaugeHistogram => metric_type::GAUGE_HISTOGRAM,
    };
    writer.unsigned(field::TYPE, kind);
    for series in &family.series {
        if let Ok(counts) = fit(series) {
            writer.message(field::METRIC, |writer| write_metric(writer, family.kind, series, counts));
        }
    }
    if !family.unit.is_empty() {
        writer.text(field::UNIT, family.unit);
    }
}

fn write_metric(writer: &mut Writer, kind: Kind, series: &Series, counts: Counts) {
    write_labels(writer, metric::LABEL, series.labels);
    match series.value {
        Value::Number(value) => {
            let field = if kind == Kind::Unknown { metric::UNTYPED } else { metric::GAUGE };
            writer.message(field, |writer| writer.double(number::VALUE, value));
        }
        Value::Counter(value, exemplar) => writer.message(metric::COUNTER, |writer| {
            writer.double(number::VALUE, value);
            if let Some(exemplar) = exemplar {
                writer.message(number::EXEMPLAR, |writer| write_exemplar(writer, exemplar));
            }
            write_time(writer, number::CREATED, series.created);
        }),
        Value::Summary(summary) => {
            writer.message(metric::SUMMARY, |writer| write_summary(writer, summary, series.created));
        }
        Value::Histogram(histogram) => {
            writer.message(metric::HISTOGRAM, |writer| write_histogram(writer, histogram, counts, series.created));
        }
    }
    if let Some(milliseconds) = series.timestamp {
        writer.signed(metric::TIMESTAMP_MS, milliseconds);
    }
}

fn write_summary(writer: &mut Writer, summary: &Summary, created: Option<f64>) {
    // `fit` has refused summaries without a count.
    writer.unsigned(summary::COUNT, counts::whole(summary.count.unwrap_or_default()).unwrap_or_default());
    writer.double(summary::SUM, summary.sum.unwrap_or(f64::NAN));
    for (quantile, value) in summary.quantiles {
        writer.message(summary::QUANTILE, |writer| {
            writer.double(quantile::QUANTILE, *quantile);
            writer.double(quantile::VALUE, *value);
        });
    }
    write_time(writer, summary::CREATED, created);
}

fn write_histogram(writer: &mut Writer, histogram: &Histogram, counts: Counts, created: Option<f64>) {
    let count = counts::total(histogram).unwrap_or_default();
    write_count(writer, counts, (histogram::COUNT, histogram::COUNT_FLOAT), count);
    writer.double(histogram::SUM, histogram.sum.unwrap_or(f64::NAN));
    for bucket in histogram.buckets {
        writer.message(histogram::BUCKET, |writer| {
            write_count(writer, counts, (bucket::COUNT, bucket::COUNT_FLOAT), bucket.cumulative);
            writer.double(bucket::UPPER_BOUND, bucket.upper_bound);
            if let Some(exemplar) = bucket.exemplar {
                writer.message(bucket::EXEMPLAR, |writer| write_exemplar(writer, exemplar));
            }
        });
    }
    if let Some(native) = histogram.native {
        write_native(writer, native, counts, count);
    }
    write_time(writer, histogram::CREATED, created);
    for exemplar in histogram.native.map_or(&[][..], |native| native.exemplars) {
        writer.message(histogram::EXEMPLARS, |writer| write_exemplar(writer, exemplar));
    }
}

fn write_native(writer: &mut Writer, native: &NativeBuckets, counts: Counts, count: f64) {
    writer.zigzag(histogram::SCHEMA, native.schema.into());
    writer.double(histogram::ZERO_THRESHOLD, native.zero_threshold);
    write_count(writer, counts, (histogram::ZERO_COUNT, histogram::ZERO_COUNT_FLOAT), native.zero_count);
    // Readers take a histogram without a float count above 0 for one of integers, in which the deltas would be missing.
    let is_empty = counts == Counts::Floats && count <= 0.0 && native.zero_count <= 0.0;
    let none = NativeSide { spans: &[], deltas: &[], counts: &[] };
    let (negative, positive) = if is_empty { (none, none) } else { (native.negative, native.positive) };
    write_side(writer, &negative, (histogram::NEGATIVE_SPAN, histogram::NEGATIVE_DELTA, histogram::NEGATIVE_COUNT));
    write_side(writer, &positive, (histogram::POSITIVE_SPAN, histogram::POSITIVE_DELTA, histogram::POSITIVE_COUNT));
    let is_native = !negative.spans.is_empty() || !positive.spans.is_empty() || native.zero_threshold > 0.0;
    if !is_native && native.zero_count <= 0.0 {
        // metrics.proto requires this span, because the histogram would look like a classic one without it.
        let no_op = NativeSide { spans: &[(0, 0)], ..none };
        write_side(writer, &no_op, (histogram::POSITIVE_SPAN, histogram::POSITIVE_DELTA, histogram::POSITIVE_COUNT));
    }
}

/// Writes one field for each delta and each count, as Go does, because older readers may not read packed fields.
fn write_side(writer: &mut Writer, side: &NativeSide, (spans, deltas, counts): (u32, u32, u32)) {
    for (offset, length) in side.spans {
        writer.message(spans, |writer| {
            writer.zigzag(span::OFFSET, (*offset).into());
            writer.unsigned(span::LENGTH, (*length).into());
        });
    }
    for delta in side.deltas {
        writer.zigzag(deltas, *delta);
    }
    for count in side.counts {
        writer.double(counts, *count);
    }
}

/// Writes the count into its field for integers. A float goes into the field for floats as well, which overrides the other one.
/// Older readers (Prometheus 2.42 is one) know no floats of classic buckets, and would read 0.
fn write_count(writer: &mut Writer, counts: Counts, (integer, float): (u32, u32), count: f64) {
    if let Some(whole) = counts::whole(count.round()) {
        writer.unsigned(integer, whole);
    }
    if counts == Counts::Floats {
        writer.double(float, count);
    }
}

fn write_exemplar(writer: &mut Writer, exemplar: &Exemplar) {
    write_labels(writer, exemplar::LABEL, exemplar.labels);
    writer.double(exemplar::VALUE, exemplar.value);
    write_time(writer, exemplar::TIMESTAMP, exemplar.timestamp);
}

fn write_labels(writer: &mut Writer, field: u32, labels: &[Label]) {
    for label in labels {
        writer.message(field, |writer| {
            writer.text(label::NAME, label.name);
            writer.text(label::VALUE, label.value);
        });
    }
}

/// Writes a time, unless a `Timestamp` cannot hold it.
fn write_time(writer: &mut Writer, field: u32, seconds: Option<f64>) {
    let Some(time) = seconds.filter(|seconds| seconds.abs() < MAX_SECONDS) else { return };
    let nanos_of_all = (time.rem_euclid(1.0) * 1e9).round();
    #[expect(clippy::cast_possible_truncation, reason = "the number is within the bound above")]
    let (seconds, nanos) = (time.floor() as i64, nanos_of_all as i64);
    // Rounding may reach the next second.
    let (seconds, nanos) = if nanos == NANOS { (seconds + 1, 0) } else { (seconds, nanos) };
    writer.message(field, |writer| {
        writer.signed(timestamp::SECONDS, seconds);
        writer.signed(timestamp::NANOS, nanos);
    });
}

const NANOS: i64 = 1_000_000_000;
/// The end of the year 9999, up to which a `Timestamp` reaches (google/protobuf/timestamp.proto)
const MAX_SECONDS: f64 = 253_402_300_800.0;
