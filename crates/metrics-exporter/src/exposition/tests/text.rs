//! Pages of text format 0.0.4.

use bumpalo::Bump;

use crate::exposition::{
    encode::encode,
    page::{Bounds, Note, Page, PageFault},
    page_format::PageFormat,
    parse::parse,
};

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };

fn read<'a>(arena: &'a Bump, page: &'a str) -> Result<Page<'a>, PageFault> {
    parse(arena, PageFormat::Text, page.as_bytes(), &BOUNDS)
}

/// The page after parsing and writing, and its notes
fn rewritten(page: &str) -> (String, Vec<Note>) {
    let arena = Bump::new();
    let read = read(&arena, page).unwrap_or_else(|fault| panic!("{fault}: {page}"));
    let mut written = Vec::new();
    assert_eq!(encode(&read.families, PageFormat::Text, &mut written), []);
    (String::from_utf8(written).unwrap(), read.notes)
}

#[test]
fn a_page_of_every_type_stays_as_it_is() {
    let page = r#"# HELP http_requests_total Requests, "all" of them\nand \\ more
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET"} 1027 1395066363000
http_requests_total{code="400",method="GET"} 3
# TYPE temperature gauge
temperature{place="a \"b\" \\ c\nd"} -1.5
temperature +Inf
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 0.1
rpc_seconds{quantile="0.99"} NaN
rpc_seconds_sum 17.5
rpc_seconds_count 26
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="a",le="0.05"} 1
wait_seconds_bucket{queue="a",le="1"} 2
wait_seconds_bucket{queue="a",le="1e+06"} 2
wait_seconds_bucket{queue="a",le="+Inf"} 3
wait_seconds_sum{queue="a"} 5.5
wait_seconds_count{queue="a"} 3
# TYPE anything untyped
anything 1
"#;
    assert_eq!(rewritten(page), (page.to_owned(), vec![]));
}

#[test]
fn lines_in_any_order_are_put_together() {
    let page = "a_count{x=\"1\"} 5\nb 1\na_bucket{le=\"+Inf\",x=\"1\"} 5\na_sum{x=\"1\"} 7\nb{x=\"2\"} 2\n\
                # TYPE a histogram\na_bucket{x=\"1\",le=\"0.5\"} 4\n";
    let (written, notes) = rewritten(page);
    assert_eq!(
        written,
        "# TYPE b untyped\nb 1\nb{x=\"2\"} 2\n# TYPE a histogram\na_bucket{x=\"1\",le=\"0.5\"} 4\n\
         a_bucket{x=\"1\",le=\"+Inf\"} 5\na_sum{x=\"1\"} 7\na_count{x=\"1\"} 5\n"
    );
    assert_eq!(notes, []);
}

#[test]
fn parts_without_a_declared_type_are_unknown() {
    let page = "a_bucket{x=\"1\",le=\"2\"} 1\nb{quantile=\"0.5\",y=\"1\"} 2\n";
    let expected =
        "# TYPE a_bucket untyped\na_bucket{le=\"2\",x=\"1\"} 1\n# TYPE b untyped\nb{quantile=\"0.5\",y=\"1\"} 2\n";
    assert_eq!(rewritten(page), (expected.to_owned(), vec![]));
}

#[test]
fn a_page_that_the_scraper_of_prometheus_accepts_is_accepted() {
    let rows = [
        ("", ""),
        ("\n \t\n", ""),
        ("\t a \t1 \t\n", "a 1"),
        ("a{} 1\n", "a 1"),
        ("a{x=\"1\",} 1\n", "a{x=\"1\"} 1"),
        (" a { x = \"1\" y\t= \"2\" , }1 7 \n", "a{x=\"1\",y=\"2\"} 1 7"),
        ("a{y=\"2\",x=\"1\"} 1\n", "a{x=\"1\",y=\"2\"} 1"),
        ("a{x=\"\"} 1\n", "a 1"),
        ("a{x=\"1\n2\"} 1\n", "a{x=\"1\\n2\"} 1"),
        ("a{x=\"\\a\\\\\"} 1\n", "a{x=\"\\\\a\\\\\"} 1"),
        ("a{x=\"\0é\"} 1\n", "a{x=\"\0é\"} 1"),
        ("a+1\n", "a 1"),
        ("a inf\n", "a +Inf"),
        ("a -Inf\n", "a -Inf"),
        ("a nan\n", "a NaN"),
        ("a 1.5e-3 0\n", "a 0.0015 0"),
        ("#\n#a\n# a\n#HELP a b\n#TYPE a b\n# HELP\n# TYPES a b\n# HELPa b c\n#\tHELPER a b\na 1\n", "a 1"),
        ("# EOF\na 1\n", "a 1"),
        ("#  TYPE \t a untyped\na 1\n", "a 1"),
        (":a:b 1\n", ":a:b 1"),
    ];
    for (page, series) in rows {
        let (written, notes) = rewritten(page);
        let lines: Vec<_> = written.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!((lines.join("\n").as_str(), notes), (series, vec![]), "{page:?}");
    }
    assert_eq!(
        rewritten("# HELP a\n# HELP b  x \\\" \r\na 1\nb 1\n").0.split('\n').nth(2),
        Some("# HELP b  x \\\\\" \r")
    );
}

#[test]
fn malformed_lines() {
    let number = "line 1: expected a number";
    let quoted = "line 1: a name in quotes: names may have letters, digits, _ and : only; let the app escape them \
                  (escaping=underscores)";
    let rows = [
        ("a 1\nb 2", "line 2: the last line has no end: the body is cut off"),
        ("a 1\nb{x=\"", "line 2: the last line has no end: the body is cut off"),
        ("a\n", number),
        ("a 1\r\n", "line 1: a carriage return at the end of a line"),
        ("\u{feff}a 1\n", "line 1: a byte order mark, which no page of metrics has"),
        ("a{x=\"1\"}\n", number),
        ("a{x=\"1\"}{ 1\n", number),
        ("a 1_000\n", number),
        ("a 0x1p3\n", number),
        ("a 1e999\n", number),
        ("a-b 1\n", number),
        ("a 1 1.5\n", "line 1: expected a time in whole milliseconds"),
        ("a 1 99999999999999999999\n", "line 1: expected a time in whole milliseconds"),
        ("a 1 -5\n", "line 1: expected the end of the line after value and time"),
        ("a 1 # {} 1\n", "line 1: expected the end of the line after value and time"),
        ("\n\n1a 1\n", "line 3: expected the name of a metric"),
        ("\0\n", "line 1: expected the name of a metric"),
        ("<html>\n", "line 1: expected the name of a metric"),
        ("Active connections: 1 \n", number),
        ("a{1=\"1\"} 1\n", "line 1: expected the name of a label"),
        ("a{,} 1\n", "line 1: expected the name of a label"),
        ("a{x=\"1\",,} 1\n", "line 1: expected the name of a label"),
        ("a{x} 1\n", "line 1: expected = after the name of a label"),
        ("a{x=1} 1\n", "line 1: expected a quote before the value of a label"),
        ("a{x=\"1} 1\nb 1\n", "line 1: the value of a label does not end"),
        ("a{x=\"\\\n\"} 1\n", "line 1: the value of a label does not end"),
        ("a{x=\"1\",y=\"2\",x=\"3\"} 1\n", "line 1: a label that is there twice"),
        ("a{__name__=\"b\"} 1\n", "line 1: a second name of the metric, as a label"),
        ("{\"a.b\"} 1\n", quoted),
        ("a{\"b.c\"=\"1\"} 1\n", quoted),
        ("# HELP \"a.b\" x\n", quoted),
        ("# HELP 1a x\n", "line 1: expected the name of a metric"),
        ("# TYPE a\n", "line 1: an unknown type of metric"),
        ("# TYPE a gauge \n", "line 1: an unknown type of metric"),
        ("# TYPE a gauge\r\n", "line 1: a carriage return at the end of a line"),
        ("# TYPE a unknown\n", "line 1: an unknown type of metric"),
    ];
    for (page, fault) in rows {
        let arena = Bump::new();
        assert_eq!(read(&arena, page).unwrap_err().to_string(), fault, "{page:?}");
    }
    let fault = parse(&Bump::new(), PageFormat::Text, b"a 1\nb{x=\"\xff\"} 1\n", &BOUNDS).unwrap_err();
    assert_eq!(fault.to_string(), "line 2: bytes that are not UTF-8");
}

/// Checks the rewritten page and its notes: reason, example and series
fn noted(page: &str, expected: &str, notes: &[(&str, &str, usize)]) {
    let (written, found) = rewritten(page);
    assert_eq!(written, expected);
    let found: Vec<_> = found.iter().map(|note| (note.reason, note.example.as_str(), note.series)).collect();
    assert_eq!(found, notes);
}

#[test]
fn the_first_of_contradicting_lines_wins() {
    noted(
        "# TYPE a gauge\n# HELP a one\na{x=\"1\",y=\"2\"} 1\nb 1\n# TYPE a counter\n# HELP a two\na{y=\"2\",x=\"1\"} 2\na 3\n\
         # TYPE a gauge\na 4\n",
        "# HELP a one\n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na 3\n# TYPE b untyped\nb 1\n",
        &[
            ("contradicting type", "Gauge and Counter", 0),
            ("contradicting help", "\"one\" and \"two\"", 0),
            ("repeated series", "a{x,y}", 2),
        ],
    );
    noted(
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 3\na_sum 4\na_sum 5\n\
         a_count 3\na_count 6\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 3\na_sum 4\na_count 3\n",
        &[("repeated series", "a", 3)],
    );
}

#[test]
fn histograms_and_summaries_are_whole_or_left_out() {
    noted(
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 4\na_count 3\na_sum{x=\"1\"} 1\na_count{x=\"1\"} 2\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 3\na_sum 4\na_count 3\n\
         a_bucket{x=\"1\",le=\"+Inf\"} 2\na_sum{x=\"1\"} 1\na_count{x=\"1\"} 2\n",
        &[],
    );
    noted(
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_bucket{x=\"1\"} 1\na_count{x=\"1\"} 1\na 5\na_bucket{x=\"2\",le=\"?\"} 1\n\
         b 1\n",
        "# TYPE b untyped\nb 1\n",
        &[
            ("a bound that is no number", "a{x}", 2),
            ("no part of a histogram or summary", "a", 1),
            ("neither a bucket +Inf nor a count", "a", 1),
        ],
    );
    noted(
        "# TYPE a summary\na{quantile=\"NaN\"} 1\na_count 1\na{x=\"1\"} 1\na_sum{x=\"2\"} 1\na_bucket{le=\"1\"} 1\n",
        "# TYPE a summary\na_sum{x=\"2\"} 1\n# TYPE a_bucket untyped\na_bucket{le=\"1\"} 1\n",
        &[("a bound that is no number", "a", 1), ("no part of a histogram or summary", "a{x}", 1)],
    );
}
