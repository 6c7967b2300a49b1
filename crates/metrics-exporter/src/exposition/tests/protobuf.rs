//! Delimited protobuf: a written page is read unchanged, and invalid bytes are faults.

use bumpalo::Bump;
use proptest::prelude::*;

use crate::exposition::{
    encode::encode,
    model::{Bucket, Exemplar, Family, Histogram, Kind, Label, Series, Value},
    page::{Bounds, Page, PageFault},
    page_format::PageFormat::Protobuf,
    parse::parse,
    tests::models,
};

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };

pub(super) fn read<'a>(arena: &'a Bump, body: &'a [u8]) -> Result<Page<'a>, PageFault> {
    parse(arena, Protobuf, body, &BOUNDS)
}

/// A page of these families, all of which fit
pub(super) fn written(families: &[Family]) -> Vec<u8> {
    let mut page = Vec::new();
    assert_eq!(encode(families, Protobuf, &mut page), []);
    page
}

/// The family after a round trip through protobuf, which has fewer types
fn as_protobuf<'a>(family: &Family<'a>) -> Family<'a> {
    let mut family = family.clone();
    if matches!(family.kind, Kind::Info | Kind::StateSet) {
        family.kind = Kind::Gauge;
    }
    family
}

/// The families as text for comparison, because NaN equals nothing
pub(super) fn shown(families: &[Family]) -> String {
    format!("{families:#?}")
}

pub(super) fn family(kind: Kind, value: Value<'static>) -> Family<'static> {
    let series = vec![Series { labels: &[], value, created: None, timestamp: None }];
    Family { name: "x", kind, help: "", unit: "", series }
}

pub(super) fn histogram(histogram: Histogram<'static>) -> Family<'static> {
    family(Kind::Histogram, Value::Histogram(Box::leak(Box::new(histogram))))
}

pub(super) const CLASSIC: Histogram = Histogram {
    buckets: &[
        Bucket { upper_bound: 0.5, cumulative: 1.0, exemplar: None },
        Bucket { upper_bound: f64::INFINITY, cumulative: 3.0, exemplar: None },
    ],
    sum: Some(2.5),
    count: Some(3.0),
    native: None,
};
/// A field that is a message or a text
pub(super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

fn delimited(message: &[u8]) -> Vec<u8> {
    [&[u8::try_from(message.len()).unwrap()], message].concat()
}

/// A family named x with these metrics
pub(super) fn page(kind: u8, metrics: &[&[u8]]) -> Vec<u8> {
    let metrics = metrics.iter().flat_map(|metric| field(4, metric));
    delimited(&[&field(1, b"x")[..], &[3 << 3, kind], &metrics.collect::<Vec<_>>()].concat())
}

pub(super) fn label(name: &[u8], value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name), field(2, value)].concat())
}

/// A gauge whose value is 0, as proto3 writes it
const ZERO: [u8; 2] = [2 << 3 | 2, 0];

fn reasons(body: &[u8]) -> Vec<(&'static str, usize)> {
    let arena = Bump::new();
    let page = read(&arena, body).unwrap();
    page.notes.iter().map(|note| (note.reason, note.series)).collect()
}

#[test]
fn a_family_whose_samples_have_a_claimed_name_is_left_out() {
    let called = |name, family: Family<'static>| Family { name, ..family };
    let families = [
        called("x_count", family(Kind::Gauge, Value::Number(1.0))),
        histogram(CLASSIC),
        called("y", family(Kind::Gauge, Value::Number(2.0))),
    ];
    let mut page = Vec::new();
    let notes = encode(&families, Protobuf, &mut page);
    assert_eq!(notes.iter().map(|note| (&*note.family, note.series)).collect::<Vec<_>>(), [("x", 1)]);
    let arena = Bump::new();
    let names: Vec<_> = read(&arena, &page).unwrap().families.iter().map(|family| family.name).collect();
    assert_eq!(names, ["x_count", "y"]);
}

proptest! {
    #[test]
    fn a_page_is_read_as_it_was_written(families in models::families()) {
        let arena = Bump::new();
        let body = written(&families);
        let page = read(&arena, &body).unwrap();
        let expected: Vec<_> = families.iter().map(as_protobuf).collect();
        prop_assert_eq!(shown(&page.families), shown(&expected));
        prop_assert_eq!(page.notes, []);
    }

    /// A page that is cut off, or has a changed byte, is a fault or a shorter page.
    #[test]
    fn damaged_pages_are_bounded(families in models::families(), at: prop::sample::Index, byte: u8) {
        let mut body = written(&families);
        prop_assume!(!body.is_empty());
        let at = at.index(body.len());
        let arena = Bump::new();
        let _ = read(&arena, &body[..at]);
        body[at] = byte;
        if let Ok(page) = read(&arena, &body) {
            // Every page that was read can be written.
            encode(&page.families, Protobuf, &mut Vec::new());
        }
    }

    #[test]
    fn any_bytes_are_bounded(body in prop::collection::vec(any::<u8>(), 0..100)) {
        let arena = Bump::new();
        let _ = read(&arena, &body);
    }
}

#[test]
fn a_page_that_is_cut_off_within_a_message_is_a_fault() {
    let body = written(&[histogram(CLASSIC), Family { name: "y", ..family(Kind::Gauge, Value::Number(1.0)) }]);
    let first = usize::from(body[0]) + 1;
    let arena = Bump::new();
    for length in 0..body.len() {
        let fault = read(&arena, &body[..length]).err();
        if length == 0 || length == first {
            assert_eq!(fault, None, "{length}");
        } else {
            let line = if length < first { 1 } else { 2 };
            assert_eq!(fault.map(|fault| fault.line), Some(line), "{length}");
        }
    }
}

#[test]
fn fields_of_another_kind_are_faults() {
    let arena = Bump::new();
    for metric in
        [&[2 << 3][..], &[2 << 3, 1], &[2 << 3 | 2, 2, 1 << 3, 0], &[1 << 3 | 2, 2, 1 << 3, 0], &[6 << 3 | 1, 0]]
    {
        let fault = read(&arena, &page(1, &[metric])).unwrap_err();
        assert_eq!(fault.line, 1, "{metric:?}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let more = [&ZERO[..], &[13 << 3, 7], &[14 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0], &[15 << 3 | 5, 0, 0, 0, 0]].concat();
    let body = page(1, &[&more]);
    let arena = Bump::new();
    let read = read(&arena, &body).unwrap();
    assert_eq!(shown(&read.families), shown(&[family(Kind::Gauge, Value::Number(0.0))]));
}

#[test]
fn an_invalid_series_costs_no_other_series() {
    let metric = |labels: &[Vec<u8>]| [labels.concat(), ZERO.to_vec()].concat();
    for (labels, reason) in [
        (vec![label(b"a-b", b"1")], "a name that labels cannot have"),
        (vec![label(b"", b"1")], "a name that labels cannot have"),
        (vec![label(b"__name__", b"y")], "a reserved label"),
        (vec![label(b"a", b"\xff")], "a label that is not UTF-8"),
        (vec![label(b"a", b"1"), label(b"a", b"2")], "a label with two values"),
        (vec![label(b"b", b"1"), label(b"a", b"2"), label(b"b", b"1")], "a label with two values"),
        (vec![label(b"ok", b"yes")], "repeated series"),
    ] {
        let body = page(1, &[&metric(&[label(b"ok", b"yes")]), &metric(&labels)]);
        assert_eq!(reasons(&body), [(reason, 1)], "{labels:?}");
        let arena = Bump::new();
        assert_eq!(read(&arena, &body).unwrap().families[0].series.len(), 1);
    }
    assert_eq!(reasons(&page(0, &[&ZERO])), [("no value of the type of its family", 1)]);
    assert_eq!(reasons(&page(9, &[&ZERO, &ZERO])), [("an unknown type", 2)]);
    let quantile = [label(b"quantile", b"0.5"), field(4, b"")].concat();
    assert_eq!(reasons(&page(2, &[&quantile])), [("a reserved label", 1)]);
    let le = [label(b"le", b"1"), field(7, b"")].concat();
    assert_eq!(reasons(&page(4, &[&le])), [("a reserved label", 1)]);
}

#[test]
fn labels_are_sorted_and_those_without_a_value_are_none() {
    let labels = [label(b"b", b"1"), label(b"none", b""), label(b"a", b"2")].concat();
    let body = page(1, &[&[labels, ZERO.to_vec()].concat()]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    assert_eq!(page.families[0].series[0].labels, [Label { name: "a", value: "2" }, Label { name: "b", value: "1" }]);
}

#[test]
fn names_that_metrics_cannot_have_cost_their_family() {
    for name in [&b"a.b"[..], b"", b"\xff"] {
        let body = delimited(&[&field(1, name)[..], &[3 << 3, 1], &field(4, &ZERO)].concat());
        assert_eq!(reasons(&body), [("a name that metrics cannot have", 1)]);
    }
}

#[test]
fn pieces_of_a_family_are_one_family() {
    let one = [label(b"a", b"1"), ZERO.to_vec()].concat();
    let two = [label(b"a", b"2"), ZERO.to_vec()].concat();
    let body = [page(1, &[&one]), page(1, &[&two]), page(1, &[&one])].concat();
    let arena = Bump::new();
    let read = read(&arena, &body).unwrap();
    assert_eq!((read.families.len(), read.families[0].series.len()), (1, 2));
    assert_eq!(reasons(&body), [("repeated series", 1)]);
    assert_eq!(reasons(&[page(1, &[&one]), page(3, &[&two])].concat()), [("a second type of one name", 1)]);
}

#[test]
fn more_than_the_bounds_is_a_fault() {
    let arena = Bump::new();
    let fault = |body: &[u8], bounds| parse(&arena, Protobuf, body, &bounds).err().map(|fault| fault.fault);
    let bounds = |series| Bounds { series, labels: 1, label_bytes: 3, memory: usize::MAX };
    let metric = |labels: &[Vec<u8>]| page(1, &[&[labels.concat(), ZERO.to_vec()].concat()]);
    let labelled = metric(&[label(b"abc", b"123")]).leak();
    assert_eq!(fault(labelled, bounds(1)), None);
    let labelled = metric(&[label(b"a", b"1"), label(b"b", b"1")]).leak();
    assert_eq!(fault(labelled, bounds(1)).as_deref(), Some("too many labels"));
    for long in [label(b"abcd", b"1"), label(b"a", b"1234")] {
        assert_eq!(fault(metric(&[long]).leak(), bounds(1)).as_deref(), Some("a label is too long"));
    }
    let too_many = Some("too many series".to_owned());
    assert_eq!(fault(page(1, &[&ZERO, &ZERO]).leak(), bounds(1)), too_many);
    // Two buckets, the sum and the count; the reader counts a bucket `+Inf` of its own.
    let classic = written(&[histogram(CLASSIC)]).leak();
    assert_eq!((fault(classic, bounds(4)), fault(classic, bounds(5))), (too_many.clone(), None));
    // Sixteen thousand native buckets in as many bytes are two thousand series.
    let deltas: Vec<u8> = [&[13 << 3 | 2, 0x80, 0x7d][..], &[0; 16_000]].concat();
    let histogram = [&[7 << 3 | 2, 0x83, 0x7d], &deltas[..]].concat();
    let metric = [&[4 << 3 | 2, 0x86, 0x7d], &histogram[..]].concat();
    let family = [&[0x0a, 1, b'x', 3 << 3, 4], &metric[..]].concat();
    let body = [&[0x8e, 0x7d], &family[..]].concat().leak();
    assert_eq!((fault(body, bounds(2002)), fault(body, bounds(2003))), (too_many, None));
}

#[test]
fn an_exemplar_that_cannot_be_read_costs_itself_only() {
    let exemplar = |name| &*Box::leak(Box::new(Exemplar { labels: name, value: 1.0, timestamp: Some(0.1) }));
    let wrong = exemplar(&[Label { name: "trace-id", value: "1" }]);
    let body = written(&[family(Kind::Counter, Value::Counter(3.0, Some(wrong)))]);
    let arena = Bump::new();
    let page = read(&arena, &body).unwrap();
    assert_eq!(page.families[0].series[0].value, Value::Counter(3.0, None));
    assert_eq!(reasons(&body), [("an exemplar that cannot be read", 0)]);
}

#[test]
fn times_before_the_epoch_and_at_the_end_of_a_second() {
    for (time, expected) in [(-0.5, -0.5), (1.999_999_999_9, 2.0), (0.0, 0.0)] {
        let mut family = family(Kind::Counter, Value::Counter(3.0, None));
        family.series[0].created = Some(time);
        let body = written(&[family]);
        let arena = Bump::new();
        assert_eq!(read(&arena, &body).unwrap().families[0].series[0].created, Some(expected));
    }
    for time in [f64::NAN, f64::INFINITY, 1e300] {
        let mut family = family(Kind::Counter, Value::Counter(3.0, None));
        family.series[0].created = Some(time);
        let body = written(&[family]);
        let arena = Bump::new();
        assert_eq!(read(&arena, &body).unwrap().families[0].series[0].created, None);
    }
}
