//! Pages beyond the bounds, and large pages whose cost must be linear, because a test would take minutes otherwise.

use std::fmt::Write;

use bumpalo::Bump;

use crate::exposition::{
    encode::encode,
    page::{Bounds, PageFault},
    page_format::PageFormat,
    parse::parse,
};

const BOUNDS: Bounds = Bounds { series: 100, labels: 3, label_bytes: 50, memory: usize::MAX };
const WIDE: Bounds = Bounds { series: 1_000_000, labels: 100_000, label_bytes: 2_000_000, memory: usize::MAX };

/// The series of the page, or its fault, in both text formats
fn read(page: &str, bounds: &Bounds) -> Vec<Result<usize, PageFault>> {
    [(PageFormat::Text, page.to_owned()), (PageFormat::OpenMetrics, format!("{page}# EOF\n"))]
        .iter()
        .map(|(format, body)| {
            let arena = Bump::new();
            let page = parse(&arena, *format, body.as_bytes(), bounds)?;
            let mut written = Vec::new();
            assert_eq!(encode(&page.families, *format, &mut written).iter().map(|note| note.series).sum::<usize>(), 0);
            Ok(page.families.iter().map(|family| family.series.len()).sum())
        })
        .collect()
}

fn fault_of(page: &str) -> Vec<String> {
    read(page, &BOUNDS).into_iter().map(|read| read.unwrap_err().to_string()).collect()
}

/// Lines that a function writes, each from its number
fn lines(count: usize, line: impl Fn(&mut String, usize)) -> String {
    let mut page = String::new();
    for number in 0..count {
        line(&mut page, number);
    }
    page
}

#[test]
fn what_is_beyond_the_bounds_is_no_page() {
    let series = lines(101, |page, number| writeln!(page, "a{{x=\"{number}\"}} 1").unwrap());
    assert_eq!(fault_of(&series), ["line 101: too many series"; 2]);
    assert_eq!(fault_of("a{b=\"1\",c=\"2\",d=\"3\",e=\"4\"} 1\n"), ["line 1: too many labels"; 2]);
    let long = "x".repeat(51);
    assert_eq!(fault_of(&format!("a{{b=\"{long}\"}} 1\n")), ["line 1: a label is too long"; 2]);
    assert_eq!(fault_of(&format!("a{{{long}=\"1\"}} 1\n")), ["line 1: a label is too long"; 2]);
    assert_eq!(fault_of(&format!("{long} 1\n")), ["line 1: the name of a metric is too long"; 2]);
    assert_eq!(fault_of(&format!("# TYPE {long} gauge\n")), ["line 1: the name of a metric is too long"; 2]);
}

/// A name without series costs memory too.
#[test]
fn names_without_series_have_a_bound() {
    let names = lines(101, |page, number| writeln!(page, "# TYPE a{number} gauge").unwrap());
    assert_eq!(fault_of(&names), ["line 101: too many names"; 2]);
    let message = |number: u8| [3, 10, 1, b'A' + number];
    let body: Vec<u8> = (0..3).flat_map(message).collect();
    let bounds = |series| Bounds { series, ..BOUNDS };
    let arena = Bump::new();
    assert!(parse(&arena, PageFormat::Protobuf, &body, &bounds(3)).is_ok());
    let fault = parse(&arena, PageFormat::Protobuf, &body, &bounds(2)).unwrap_err();
    assert_eq!(fault.to_string(), "line 3: too many names");
}

#[test]
fn a_label_of_a_megabyte() {
    let page = format!("a{{b=\"{}\"}} 1\n", "\\\\x\\n".repeat(250_000));
    assert_eq!(read(&page, &WIDE), [Ok(1), Ok(1)]);
    let fault = read(&page, &BOUNDS).remove(0).unwrap_err();
    assert_eq!(fault.to_string(), "line 1: a label is too long");
}

#[test]
fn a_million_series() {
    let one_family = lines(150_000, |page, number| writeln!(page, "a{{x=\"{number}\"}} 1").unwrap());
    assert_eq!(read(&one_family, &WIDE), [Ok(150_000), Ok(150_000)]);
    let families = lines(150_000, |page, number| writeln!(page, "a{number} 1").unwrap());
    assert_eq!(read(&families, &WIDE), [Ok(150_000), Ok(150_000)]);
    let million = lines(1_000_001, |page, _| page.push_str("a 1\n"));
    for read in read(&million, &WIDE) {
        assert_eq!(read.unwrap_err().to_string(), "line 1000001: too many series");
    }
}

#[test]
fn a_series_with_very_many_labels() {
    let labels: Vec<_> = (0..50_000).rev().map(|number| format!("l{number}=\"1\"")).collect();
    assert_eq!(read(&format!("a{{{}}} 1\n", labels.join(",")), &WIDE), [Ok(1), Ok(1)]);
}

#[test]
fn a_histogram_with_very_many_buckets() {
    let buckets = lines(200_000, |page, number| writeln!(page, "a_bucket{{le=\"{number}\"}} {number}").unwrap());
    let page = format!("# TYPE a histogram\n{buckets}a_bucket{{le=\"+Inf\"}} 200000\n");
    assert_eq!(read(&page, &WIDE), [Ok(1), Ok(1)]);
}

#[test]
fn very_many_families_in_pieces() {
    let page = lines(200_000, |page, number| {
        let (family, series) = (number % 1000, number / 1000);
        writeln!(page, "# TYPE a{family} counter\n# HELP a{family} x{series}\na{family}{{x=\"{series}\"}} 1").unwrap();
    });
    assert_eq!(read(&page, &WIDE), [Ok(200_000), Ok(200_000)]);
    let arena = Bump::new();
    let notes = parse(&arena, PageFormat::Text, page.as_bytes(), &WIDE).unwrap().notes;
    assert_eq!((notes.len(), notes[0].reason), (101, "contradicting help"));
}

#[test]
fn very_many_repeated_series() {
    let page = lines(300_000, |page, number| writeln!(page, "a{{x=\"{}\"}} 1", number % 10).unwrap());
    let arena = Bump::new();
    let page = parse(&arena, PageFormat::Text, page.as_bytes(), &WIDE).unwrap();
    assert_eq!((page.families[0].series.len(), page.notes.len(), page.notes[0].series), (10, 1, 299_990));
}
