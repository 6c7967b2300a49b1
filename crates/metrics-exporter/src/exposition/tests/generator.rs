//! Random models of pages. Their memory is leaked, because tests are short.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, option, prelude::*};

use crate::exposition::{
    model::{Bucket, Exemplar, Family, Histogram, Kind, Label, Series, Summary, Value},
    tests::models::KINDS,
};

/// Families that every format can hold, except for exemplars and units
pub(super) fn families() -> impl Strategy<Value = Vec<Family<'static>>> {
    vec(kind().prop_flat_map(family), 0..8).prop_map(|mut families| {
        // A number in front makes the names different, and keeps their ends.
        for (index, family) in families.iter_mut().enumerate() {
            family.name = leak(format!("m{index}_{}", family.name));
            if family.kind == Kind::StateSet {
                let series = std::mem::take(&mut family.series).into_iter();
                family.series = series.flat_map(|series| states(family.name, series)).collect();
            }
        }
        families
    })
}

/// Families with any values, and with names that clash
pub(super) fn wild_families() -> impl Strategy<Value = Vec<Family<'static>>> {
    let names = ["a", "a_total", "a_created", "a_sum", "a_count", "a_bucket", "a_gsum", "a_info", "b_total", "_total"];
    let family =
        (proptest::sample::select(names.to_vec()), kind(), any::<String>()).prop_flat_map(|(name, kind, help)| {
            let series = (wild_labels(), wild_value(kind), option::of(any::<f64>()), option::of(-99_i64..99));
            vec(series, 1..4).prop_map(move |series| {
                let series = series.into_iter().map(|(labels, value, created, timestamp)| {
                    let created = created.filter(|_| has_created(kind));
                    Series { labels, value, created, timestamp }
                });
                Family { name, kind, help: leak(help.clone()), unit: "", series: unique(series.collect()) }
            })
        });
    vec(family, 0..8)
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(KINDS.to_vec())
}

fn family(kind: Kind) -> impl Strategy<Value = Family<'static>> {
    let suffix = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        _ => "",
    };
    // No text format keeps a carriage return at the end of a line.
    let help = any::<String>().prop_map(|help| help.trim_end_matches('\r').to_owned());
    let has_unit = any::<bool>().prop_map(move |wanted| wanted && !matches!(kind, Kind::Info | Kind::StateSet));
    let created = option::of((0..16_000_000_000_u64).prop_map(seconds));
    let timestamp = option::of(0..4_000_000_000_000_i64);
    let series = vec((labels(), value(kind), created), 1..5);
    ("[a-z]{1,3}", help, has_unit, series, timestamp).prop_map(move |(name, help, has_unit, series, timestamp)| {
        let unit = if has_unit { "seconds" } else { "" };
        let name = leak(if has_unit { format!("{name}_{unit}{suffix}") } else { format!("{name}{suffix}") });
        let series = series.into_iter().map(|(labels, value, created)| {
            let created = created.filter(|_| has_created(kind));
            Series { labels, value, created, timestamp }
        });
        Family { name, kind, help: leak(help), unit, series: unique(series.collect()) }
    })
}

/// The series as two states
fn states(name: &'static str, series: Series<'static>) -> [Series<'static>; 2] {
    [("on", 1.0), ("off", 0.0)].map(|(value, number)| {
        let mut labels = series.labels.to_vec();
        labels.push(Label { name, value });
        Series { labels: sorted(labels), value: Value::Number(number), ..series }
    })
}

fn value(kind: Kind) -> BoxedStrategy<Value<'static>> {
    match kind {
        Kind::Unknown | Kind::Gauge => any::<f64>().prop_map(Value::Number).boxed(),
        Kind::Info | Kind::StateSet => Just(Value::Number(1.0)).boxed(),
        Kind::Counter => (positive(), option::of(exemplar(any::<f64>().boxed())))
            .prop_map(|(total, exemplar)| Value::Counter(total, exemplar))
            .boxed(),
        Kind::Summary => {
            let quantiles = vec((0.0..=1.0, prop_oneof![positive(), Just(f64::NAN)]), 1..4);
            let totals = (option::of(positive()), option::of(any::<u32>()));
            (quantiles, totals).prop_map(|(quantiles, (sum, count))| summary(quantiles, sum, count)).boxed()
        }
        Kind::Histogram | Kind::GaugeHistogram => {
            let buckets = vec((positive(), any::<u32>(), option::of(exemplar(Just(0.0).boxed()))), 0..4);
            let last = (any::<u32>(), option::of(exemplar(any::<f64>().boxed())));
            (buckets, last, option::of(positive()))
                .prop_map(|(buckets, last, sum)| histogram(buckets, last, sum))
                .boxed()
        }
    }
}

fn wild_value(kind: Kind) -> BoxedStrategy<Value<'static>> {
    match kind {
        Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet => {
            prop_oneof![any::<f64>(), Just(1.0)].prop_map(Value::Number).boxed()
        }
        Kind::Counter => any::<f64>().prop_map(|value| Value::Counter(value, None)).boxed(),
        Kind::Summary => {
            let totals = (option::of(any::<f64>()), option::of(any::<u32>()));
            let quantiles = vec((-1.0..2.0, any::<f64>()), 0..3);
            (quantiles, totals).prop_map(|(quantiles, (sum, count))| summary(quantiles, sum, count)).boxed()
        }
        Kind::Histogram | Kind::GaugeHistogram => {
            let buckets = vec((-9.0..9.0, any::<f64>()), 0..3);
            let totals = (option::of(any::<f64>()), option::of(any::<f64>()));
            (buckets, any::<f64>(), totals)
                .prop_map(|(mut buckets, last, (sum, count))| {
                    buckets.sort_by(|(one, _), (other, _)| f64::total_cmp(one, other));
                    buckets.dedup_by_key(|(bound, _)| *bound);
                    buckets.push((f64::INFINITY, last));
                    let buckets = buckets.into_iter().map(|(upper_bound, cumulative)| Bucket {
                        upper_bound,
                        cumulative,
                        exemplar: None,
                    });
                    let buckets = Vec::leak(buckets.collect());
                    Value::Histogram(Box::leak(Box::new(Histogram { buckets, sum, count, native: None })))
                })
                .boxed()
        }
    }
}

fn summary(mut quantiles: Vec<(f64, f64)>, sum: Option<f64>, count: Option<u32>) -> Value<'static> {
    quantiles.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    quantiles.dedup_by_key(|(quantile, _)| *quantile);
    let count = count.map(f64::from);
    Value::Summary(Box::leak(Box::new(Summary { quantiles: quantiles.leak(), sum, count })))
}

type Example = Option<&'static Exemplar<'static>>;

fn histogram(mut buckets: Vec<(f64, u32, Example)>, last: (u32, Example), sum: Option<f64>) -> Value<'static> {
    buckets.retain(|(bound, ..)| bound.is_finite());
    buckets.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    buckets.dedup_by_key(|(bound, ..)| *bound);
    buckets.push((f64::INFINITY, last.0, last.1.filter(|exemplar| !exemplar.value.is_nan())));
    let mut total = 0.0;
    let buckets = buckets.into_iter().map(|(upper_bound, observations, exemplar)| {
        total += f64::from(observations);
        Bucket { upper_bound, cumulative: total, exemplar }
    });
    let buckets = Vec::leak(buckets.collect());
    let count = sum.map(|_| buckets[buckets.len() - 1].cumulative);
    Value::Histogram(Box::leak(Box::new(Histogram { buckets, sum, count, native: None })))
}

fn exemplar(value: BoxedStrategy<f64>) -> impl Strategy<Value = &'static Exemplar<'static>> {
    let labels = proptest::collection::btree_map("[a-z]{1,5}", "\\PC{1,20}", 0..3).prop_map(leak_labels);
    let timestamp = option::of((0..16_000_000_000_u64).prop_map(seconds));
    (labels, value, timestamp)
        .prop_map(|(labels, value, timestamp)| &*Box::leak(Box::new(Exemplar { labels, value, timestamp })))
}

fn labels() -> impl Strategy<Value = &'static [Label<'static>]> {
    let name = "[a-zA-Z_][a-zA-Z0-9_]{0,3}"
        .prop_filter("a name with a meaning", |name| name != "le" && !name.starts_with("__"));
    proptest::collection::btree_map(name, label_value(), 0..4).prop_map(leak_labels)
}

fn wild_labels() -> impl Strategy<Value = &'static [Label<'static>]> {
    let name = proptest::sample::select(vec!["a", "b", "le", "quantile", "a_total", "__a"]).prop_map(str::to_owned);
    proptest::collection::btree_map(name, label_value(), 0..4).prop_map(leak_labels)
}

fn label_value() -> impl Strategy<Value = String> {
    prop_oneof!["1|2", ".", "[\\x00-\\x7f]{1,3}", "[\"\\\\n\n]{1,4}"]
}

fn positive() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![(0_u32..).prop_map(f64::from), proptest::num::f64::POSITIVE]
}

/// Seconds that are exact in nanoseconds
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn seconds(eighths: u64) -> f64 {
    eighths as f64 / 8.0
}

fn has_created(kind: Kind) -> bool {
    matches!(kind, Kind::Counter | Kind::Summary | Kind::Histogram)
}

fn unique(mut series: Vec<Series<'static>>) -> Vec<Series<'static>> {
    let mut seen = BTreeSet::new();
    series.retain(|series| seen.insert(series.labels));
    series
}

fn leak(text: String) -> &'static str {
    text.leak()
}

fn leak_labels(labels: BTreeMap<String, String>) -> &'static [Label<'static>] {
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    Vec::leak(labels.map(|(name, value)| Label { name: leak(name), value: leak(value) }).collect())
}

fn sorted(mut labels: Vec<Label<'static>>) -> &'static [Label<'static>] {
    labels.sort_unstable();
    labels.leak()
}
