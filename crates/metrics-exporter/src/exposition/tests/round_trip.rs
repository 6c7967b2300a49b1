//! Round trips: a written page reads as the same model, and every written page can be read.

use bumpalo::Bump;
use proptest::prelude::*;

use crate::exposition::{
    encode::encode,
    model::{Family, Histogram, Kind, Series, Value},
    page::{Bounds, Page},
    page_format::PageFormat,
    parse::parse,
    tests::generator::{families, wild_families},
};

const BOUNDS: Bounds = Bounds { series: 100_000, labels: 30, label_bytes: 10_000, memory: usize::MAX };

proptest! {
    #[test]
    fn openmetrics_keeps_everything(families in families()) {
        prop_assert_eq!(&rewritten(&families, PageFormat::OpenMetrics), &format!("{families:#?}"));
    }

    #[test]
    fn text_keeps_all_that_it_can_hold(families in families()) {
        prop_assert_eq!(&rewritten(&families, PageFormat::Text), &format!("{:#?}", in_text(&families)));
    }

    #[test]
    fn every_page_is_valid(families in wild_families()) {
        for format in [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf] {
            let mut page = Vec::new();
            encode(&families, format, &mut page);
            let arena = Bump::new();
            let read = parse(&arena, format, &page, &BOUNDS);
            let text = String::from_utf8_lossy(&page);
            let read = read.unwrap_or_else(|fault| panic!("{fault}:\n{text}"));
            prop_assert_eq!(&read.notes, &vec![], "{}", text);
            // All that was written fits, so nothing more is left out.
            let mut again = Vec::new();
            prop_assert_eq!(encode(&read.families, format, &mut again), vec![], "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in any::<Vec<u8>>(), text in LINES) {
        for format in [PageFormat::Text, PageFormat::OpenMetrics] {
            for body in [&bytes[..], text.as_bytes()] {
                let _ = parse(&Bump::new(), format, body, &BOUNDS);
            }
        }
    }

    #[test]
    fn no_change_of_a_page_makes_a_parser_panic(families in families(), place in any::<prop::sample::Index>(), byte: u8) {
        for format in [PageFormat::Text, PageFormat::OpenMetrics] {
            let mut page = Vec::new();
            encode(&families, format, &mut page);
            if !page.is_empty() {
                let place = place.index(page.len());
                page[place] = byte;
                let _ = parse(&Bump::new(), format, &page, &BOUNDS);
            }
        }
    }
}

/// Lines of what the formats are made of
const LINES: &str = r#"([abx_:]|# (TYPE|HELP|UNIT|EOF)|[ ]|\t|\{|\}|=|,|"|\\|\n|le|quantile|_bucket|_sum|_total| counter| histogram| summary|[0-9.+-]|\+Inf|NaN| # ){0,40}\n"#;

/// The model after the format, for comparison: NaN is itself, and -0 is not 0
fn rewritten(families: &[Family], format: PageFormat) -> String {
    let mut page = Vec::new();
    assert_eq!(encode(families, format, &mut page), []);
    let arena = Bump::new();
    let read = parse(&arena, format, &page, &BOUNDS);
    let Page { families, notes, .. } =
        read.unwrap_or_else(|fault| panic!("{fault}:\n{}", String::from_utf8_lossy(&page)));
    assert_eq!(notes, []);
    format!("{families:#?}")
}

/// The families after a round trip through text format 0.0.4
fn in_text<'a>(families: &[Family<'a>]) -> Vec<Family<'a>> {
    families.iter().flat_map(family_in_text).collect()
}

fn family_in_text<'a>(family: &Family<'a>) -> Vec<Family<'a>> {
    let kind = match family.kind {
        Kind::Info | Kind::StateSet => Kind::Gauge,
        Kind::GaugeHistogram => Kind::Histogram,
        kind => kind,
    };
    let is_gauge_histogram = family.kind == Kind::GaugeHistogram;
    let series = family.series.iter().map(|series| series_in_text(series, is_gauge_histogram)).collect();
    let mut all = vec![Family { kind, unit: "", series, ..family.clone() }];
    if is_gauge_histogram {
        for (suffix, number) in [("_gcount", count as fn(&Series) -> Option<f64>), ("_gsum", sum)] {
            let number = |series: &Series<'a>| Some(Series { value: Value::Number(number(series)?), ..*series });
            let series: Vec<_> = family.series.iter().filter_map(number).collect();
            if !series.is_empty() {
                let name = format!("{}{suffix}", family.name).leak();
                all.push(Family { name, kind: Kind::Gauge, unit: "", series, ..family.clone() });
            }
        }
    }
    all
}

fn series_in_text<'a>(series: &Series<'a>, is_gauge_histogram: bool) -> Series<'a> {
    let value = match series.value {
        Value::Counter(value, _) => Value::Counter(value, None),
        Value::Histogram(histogram) => {
            let mut buckets = histogram.buckets.to_vec();
            for bucket in &mut buckets {
                bucket.exemplar = None;
            }
            let (sum, count) = if is_gauge_histogram { (None, None) } else { (histogram.sum, histogram.count) };
            Value::Histogram(Box::leak(Box::new(Histogram { buckets: buckets.leak(), sum, count, native: None })))
        }
        value => value,
    };
    Series { value, ..*series }
}

fn count(series: &Series) -> Option<f64> {
    let Value::Histogram(histogram) = series.value else { return None };
    histogram.count
}

fn sum(series: &Series) -> Option<f64> {
    let Value::Histogram(histogram) = series.value else { return None };
    histogram.sum
}
