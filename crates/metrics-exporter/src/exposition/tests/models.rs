//! Random models that protobuf can hold. Their memory is leaked, because tests are short.

use std::collections::BTreeSet;

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::select,
};

use crate::exposition::model::{
    Bucket, Exemplar, Family, Histogram, Kind, Label, NativeBuckets, NativeSide, Series, Summary, Value,
};

/// Families whose names do not clash, with at least one series each
pub(super) fn families() -> impl Strategy<Value = Vec<Family<'static>>> {
    vec(any::<prop::sample::Index>().prop_flat_map(|index| family(*index.get(&KINDS))), 0..5).prop_map(
        |mut families| {
            for (index, family) in families.iter_mut().enumerate() {
                family.name = leak(format!("f{index}_{}", family.name));
            }
            families
        },
    )
}

/// Every type
pub(super) const KINDS: [Kind; 8] = [
    Kind::Unknown,
    Kind::Gauge,
    Kind::Counter,
    Kind::Summary,
    Kind::Histogram,
    Kind::GaugeHistogram,
    Kind::Info,
    Kind::StateSet,
];

fn family(kind: Kind) -> impl Strategy<Value = Family<'static>> {
    let suffix = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        _ => "",
    };
    // Neither an info nor a state set has a unit.
    let units: &[&str] = if matches!(kind, Kind::Info | Kind::StateSet) { &[""] } else { &["", "seconds", "bytes"] };
    let name = ("[a-z]{1,8}", select(units));
    (name, text(), labels_of_series(kind)).prop_flat_map(move |((stem, unit), help, labels)| {
        let separator = if unit.is_empty() { "" } else { "_" };
        let name = leak(format!("{stem}{separator}{unit}{suffix}"));
        let series: Vec<_> = labels.into_iter().map(|labels| series(kind, labels)).collect();
        let family = move |series| Family { name, kind, help: leak(help.clone()), unit, series };
        series.prop_map(family)
    })
}

/// The labels of each series of a family: sorted, and no two the same
fn labels_of_series(kind: Kind) -> impl Strategy<Value = Vec<&'static [Label<'static>]>> {
    // Every series of a state set has a label with the family's name.
    let size = if kind == Kind::StateSet { 1..2 } else { 1..5 };
    btree_set(labels(), size).prop_map(|sets: BTreeSet<_>| sets.into_iter().collect())
}

pub(super) fn labels() -> impl Strategy<Value = &'static [Label<'static>]> {
    let name = "[a-zA-Z][a-zA-Z0-9_]{0,6}".prop_filter("reserved", |name| name != "le" && name != "quantile");
    btree_map(name, text().prop_filter("no label", |value| !value.is_empty()), 0..4).prop_map(|labels| {
        let label = |(name, value)| Label { name: leak(name), value: leak(value) };
        leak_list(labels.into_iter().map(label).collect())
    })
}

fn series(kind: Kind, labels: &'static [Label<'static>]) -> impl Strategy<Value = Series<'static>> {
    let value = match kind {
        Kind::Unknown | Kind::Gauge => number().prop_map(Value::Number).boxed(),
        Kind::Info => Just(Value::Number(1.0)).boxed(),
        Kind::StateSet => select(&[0.0, 1.0]).prop_map(Value::Number).boxed(),
        Kind::Counter => {
            (0.0..1e18, option::of(exemplar())).prop_map(|(value, exemplar)| Value::Counter(value, exemplar)).boxed()
        }
        Kind::Summary => summary().prop_map(Value::Summary).boxed(),
        Kind::Histogram | Kind::GaugeHistogram => histogram().prop_map(Value::Histogram).boxed(),
    };
    let has_created = matches!(kind, Kind::Counter | Kind::Summary | Kind::Histogram);
    let created = if has_created { option::of(seconds()).boxed() } else { Just(None).boxed() };
    let timestamp = option::of(0_i64..4_000_000_000_000);
    (value, created, timestamp).prop_map(move |(value, created, timestamp)| Series {
        labels,
        value,
        created,
        timestamp,
    })
}

fn summary() -> impl Strategy<Value = &'static Summary<'static>> {
    let quantiles = btree_map(0_u32..=1000, number(), 0..4);
    (quantiles, number(), count()).prop_map(|(quantiles, sum, count)| {
        let quantiles = quantiles.into_iter().map(|(thousandths, value)| (f64::from(thousandths) / 1000.0, value));
        leak_one(Summary { quantiles: leak_list(quantiles.collect()), sum: Some(sum), count: Some(count) })
    })
}

fn histogram() -> impl Strategy<Value = &'static Histogram<'static>> {
    let buckets = btree_map(-1000_i32..1000, (0_u32..100, option::of(exemplar())), 0..4);
    (buckets, 0_u32..100, 0.0..1e9).prop_map(|(buckets, rest, sum)| {
        let mut cumulative = 0.0;
        let mut list = Vec::new();
        for (bound, (count, exemplar)) in buckets {
            cumulative += f64::from(count);
            list.push(Bucket { upper_bound: f64::from(bound) / 8.0, cumulative, exemplar });
        }
        let count = cumulative + f64::from(rest);
        list.push(Bucket { upper_bound: f64::INFINITY, cumulative: count, exemplar: None });
        leak_one(Histogram { buckets: leak_list(list), sum: Some(sum), count: Some(count), native: None })
    })
}

/// A histogram with native buckets, which only protobuf can hold
pub(super) fn native_histogram() -> impl Strategy<Value = &'static Histogram<'static>> {
    let counts = || vec(1_u32..1000, 0..6);
    let exemplars = vec((labels(), number(), seconds()), 0..3);
    (any::<bool>(), (-4_i32..=8, 0.0..1.0, 0_u32..100), counts(), counts(), -100_i32..100, exemplars).prop_map(
        |(is_float, (schema, zero_threshold, zero_count), positive, negative, offset, exemplars)| {
            let in_buckets: u32 = positive.iter().chain(&negative).sum();
            let exemplar = |(labels, value, time)| Exemplar { labels, value, timestamp: Some(time) };
            let native = NativeBuckets {
                schema,
                zero_threshold,
                zero_count: f64::from(zero_count) + if is_float { 0.5 } else { 0.0 },
                positive: side(&positive, offset, is_float),
                negative: side(&negative, -offset, is_float),
                is_float,
                exemplars: leak_list(exemplars.into_iter().map(exemplar).collect()),
            };
            let native = leak_one(native);
            let count = f64::from(in_buckets) + native.zero_count;
            // Without buckets and without a threshold it would be a classic one, which has at least one bucket.
            let is_native = in_buckets > 0 || native.zero_count > 0.0 || zero_threshold > 0.0;
            let last = Bucket { upper_bound: f64::INFINITY, cumulative: count, exemplar: None };
            let buckets: &[Bucket] = if is_native { &[] } else { leak_list(vec![last]) };
            let native = is_native.then_some(native);
            leak_one(Histogram { buckets, sum: Some(1.5), count: Some(count), native })
        },
    )
}

/// Each bucket in a span of its own
fn side(counts: &[u32], offset: i32, is_float: bool) -> NativeSide<'static> {
    let spans = counts.iter().enumerate().map(|(index, _)| (if index == 0 { offset } else { 2 }, 1)).collect();
    let mut last = 0;
    let deltas = counts.iter().map(|count| i64::from(*count) - std::mem::replace(&mut last, i64::from(*count)));
    NativeSide {
        spans: leak_list(spans),
        deltas: if is_float { &[] } else { leak_list(deltas.collect()) },
        counts: if is_float { leak_list(counts.iter().map(|count| f64::from(*count) + 0.25).collect()) } else { &[] },
    }
}

fn exemplar() -> impl Strategy<Value = &'static Exemplar<'static>> {
    (labels(), number(), option::of(seconds()))
        .prop_map(|(labels, value, timestamp)| leak_one(Exemplar { labels, value, timestamp }))
}

/// Any value, also NaN and infinities
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), (-1000_i32..1000).prop_map(f64::from), select(&[f64::NAN, f64::INFINITY, 0.0])]
}

/// A whole number
fn count() -> impl Strategy<Value = f64> {
    (0_u32..).prop_map(f64::from)
}

/// A time with milliseconds
fn seconds() -> impl Strategy<Value = f64> {
    (1_u32.., 0_u32..1000).prop_map(|(seconds, millis)| f64::from(seconds) + f64::from(millis) / 1000.0)
}

/// Any text, with much of what must be escaped
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~\n]{0,12}", "[\\\\\"\n{}#,= a]{0,6}", "\\PC{0,6}"]
}

fn leak(text: String) -> &'static str {
    text.leak()
}

fn leak_list<T>(list: Vec<T>) -> &'static [T] {
    list.leak()
}

fn leak_one<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
