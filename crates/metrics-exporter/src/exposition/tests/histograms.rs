//! Histograms and summaries in protobuf: their valid counts and buckets.

use bumpalo::Bump;
use proptest::prelude::*;

use crate::exposition::{
    encode::encode,
    model::{Bucket, Family, Histogram, Kind, NativeBuckets, NativeSide, Series, Summary, Value},
    page::Note,
    page_format::PageFormat::Protobuf,
    tests::{
        models,
        protobuf::{CLASSIC, family, field, histogram, label, page, read, shown, written},
    },
};

const NATIVE: NativeBuckets = NativeBuckets {
    schema: 3,
    zero_threshold: 0.001,
    zero_count: 1.0,
    positive: NativeSide { spans: &[(1, 2)], deltas: &[1, 0], counts: &[] },
    negative: NativeSide { spans: &[], deltas: &[], counts: &[] },
    is_float: false,
    exemplars: &[],
};

/// The result of a page with one histogram that has these native buckets: true if it still has them, and the notes
fn read_native(native: NativeBuckets<'static>, has_classic: bool) -> (Option<bool>, Vec<Note>) {
    let classic = if has_classic { CLASSIC.buckets } else { &[] };
    let native = Some(&*Box::leak(Box::new(native)));
    let body = written(&[histogram(Histogram { buckets: classic, native, ..CLASSIC })]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    let has_native = page.families.first().map(|family| match family.series[0].value {
        Value::Histogram(histogram) => histogram.native.is_some(),
        _ => panic!("{family:?}"),
    });
    (has_native, page.notes)
}

proptest! {
    #[test]
    fn native_histograms_are_read_as_they_were_written(
        histogram in models::native_histogram(),
        labels in models::labels(),
        kind in prop::sample::select(&[Kind::Histogram, Kind::GaugeHistogram]),
    ) {
        let series = vec![Series { labels, value: Value::Histogram(histogram), created: None, timestamp: None }];
        let families = [Family { name: "x", kind, help: "", unit: "", series }];
        let arena = Bump::new();
        let body = written(&families);
        let page = read(&arena, &body).unwrap();
        prop_assert_eq!(shown(&page.families), shown(&families));
        prop_assert_eq!(page.notes, []);
    }
}

#[test]
fn native_buckets_that_contradict_themselves_are_left_out() {
    let side = |spans, deltas| NativeSide { spans, deltas, counts: &[] };
    let with = |positive| NativeBuckets { positive, ..NATIVE };
    assert_eq!(read_native(NATIVE, true), (Some(true), Vec::new()));
    for (native, reason) in [
        (with(side(&[(1, 3)], &[1, 0])), "a native histogram whose spans do not fit its buckets"),
        (with(side(&[(1, 1), (-1, 1)], &[1, 0])), "a native histogram whose spans do not fit its buckets"),
        (with(side(&[(1, 2)], &[1, -2])), "a native histogram with a negative or impossible count"),
        (with(side(&[(1, 2)], &[1, 1])), "a native histogram whose buckets do not add up to its count"),
        (with(side(&[(1, 2)], &[i64::MAX, 1])), "a native histogram with a negative or impossible count"),
        (NativeBuckets { schema: 9, ..NATIVE }, "a native histogram with an unknown schema"),
        (NativeBuckets { schema: -53, ..NATIVE }, "a native histogram with an unknown schema"),
        (
            NativeBuckets {
                is_float: true,
                positive: NativeSide { spans: &[(0, 1)], deltas: &[], counts: &[-1.0] },
                ..NATIVE
            },
            "a native histogram with a negative or impossible count",
        ),
    ] {
        let (has_native, notes) = read_native(native, true);
        assert_eq!((has_native, notes[0].reason, notes[0].series), (Some(false), reason, 0));
        let (has_native, notes) = read_native(native, false);
        assert_eq!((has_native, notes[0].reason, notes[0].series), (None, reason, 1));
    }
}

/// Prometheus would take it for an integer histogram without deltas.
#[test]
fn an_empty_float_histogram_has_no_buckets() {
    let positive = NativeSide { spans: &[(0, 1)], deltas: &[], counts: &[0.0] };
    let native = NativeBuckets { is_float: true, zero_threshold: 0.0, zero_count: 0.0, positive, ..NATIVE };
    let native = Some(&*Box::leak(Box::new(native)));
    let body = written(&[histogram(Histogram { buckets: &[], sum: Some(0.0), count: Some(0.0), native })]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    let Value::Histogram(Histogram { native: Some(native), .. }) = page.families[0].series[0].value else {
        panic!("{page:?}")
    };
    assert_eq!((native.is_float, native.positive.spans, native.positive.counts), (true, &[(0, 0)][..], &[][..]));
}

#[test]
fn a_classic_histogram_always_has_its_last_bucket() {
    let bucket = field(3, &[&[1 << 3, 2, 2 << 3 | 1], &0.5_f64.to_le_bytes()[..]].concat());
    let metric = field(7, &[&[1 << 3, 5], &bucket[..]].concat());
    let body = page(4, &[&metric, &[&label(b"a", b"1")[..], &field(7, b"")].concat()]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    let buckets = page.families[0].series.iter().map(|series| match series.value {
        Value::Histogram(histogram) => {
            histogram.buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative)).collect()
        }
        _ => Vec::new(),
    });
    let buckets: Vec<Vec<_>> = buckets.collect();
    assert_eq!(buckets, [vec![(0.5, 2.0), (f64::INFINITY, 5.0)], vec![(f64::INFINITY, 0.0)]]);
}

#[test]
fn counts_that_protobuf_cannot_hold_are_left_out() {
    let summary = |count| {
        let summary = Summary { quantiles: &[], sum: Some(1.0), count };
        family(Kind::Summary, Value::Summary(Box::leak(Box::new(summary))))
    };
    let count = |count| histogram(Histogram { count: Some(count), ..CLASSIC });
    for (family, reason) in [
        (summary(None), "a summary without a count"),
        (summary(Some(1.5)), "a count that is no whole number"),
        (summary(Some(-1.0)), "a count that is no whole number"),
        (summary(Some(f64::NAN)), "a count that is no whole number"),
        (count(f64::NAN), "a count that is negative or not a number"),
        (count(-1.0), "a count that is negative or not a number"),
        (histogram(Histogram { buckets: &[], count: None, ..CLASSIC }), "a histogram without a count"),
        (
            histogram(Histogram { count: Some(3.5), native: Some(&NATIVE), ..CLASSIC }),
            "whole native buckets beside a count that is no whole number",
        ),
    ] {
        let mut page = Vec::new();
        let notes = encode(&[family], Protobuf, &mut page);
        assert_eq!((notes[0].reason, notes[0].series, page.len()), (reason, 1, 0));
    }
}

#[test]
fn fractional_counts_are_floats_and_missing_sums_are_no_numbers() {
    let buckets = &[
        Bucket { upper_bound: 1.0, cumulative: 0.0, exemplar: None },
        Bucket { upper_bound: f64::INFINITY, cumulative: 2.5, exemplar: None },
    ];
    let fractional = Histogram { buckets, count: None, sum: None, native: None };
    let body = written(&[histogram(fractional)]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    let Value::Histogram(read) = page.families[0].series[0].value else { panic!("{page:?}") };
    assert_eq!((read.buckets, read.count, read.sum.map(f64::is_nan)), (&buckets[..], Some(2.5), Some(true)));
}
