//! Pages of OpenMetrics 1.0, good and bad.
//!
//! Long because it holds a table of everything that the specification forbids.

use bumpalo::Bump;

use crate::exposition::{
    encode::encode,
    model::{Exemplar, Kind, Label, Value},
    page::{Bounds, Page, PageFault},
    page_format::PageFormat,
    parse::parse,
};

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };

fn read<'a>(arena: &'a Bump, page: &'a str) -> Result<Page<'a>, PageFault> {
    parse(arena, PageFormat::OpenMetrics, page.as_bytes(), &BOUNDS)
}

/// Reads each page, to which `# EOF` is added, and compares its fault.
fn check(rows: &[(&str, &str)]) {
    for (page, fault) in rows {
        let page = format!("{page}\n# EOF\n");
        let arena = Bump::new();
        let found = read(&arena, &page).err().map(|fault| fault.fault);
        assert_eq!(found.as_deref(), Some(*fault), "{page}");
    }
}

#[test]
fn a_page_of_every_type() {
    let page = r#"# TYPE a counter
# HELP a He said \"yes\"\n"no" \\o/
a_total{x="1"} 17 1.5 # {id="7 # }"} 0.5 1604676851.123
a_created{x="1"} 1520430000.123 1.5
a_total{x="2"} 18.0
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.1"} 8 # {} 0.05
wait_seconds_bucket{le="+Inf"} 17
wait_seconds_count 17
wait_seconds_sum 3.5
wait_seconds_created 1520430000
# TYPE depth gaugehistogram
depth_bucket{le="+Inf"} 3
depth_gcount 3
depth_gsum 4.5
# TYPE state stateset
state{host="a",state="on"} 1
state{host="a",state="off"} 0
# TYPE build info
build_info{version="1"} 1
# TYPE rpc summary
rpc{quantile="0.5"} NaN
rpc_sum 1.5
rpc_count 2
plain{} -Inf
# EOF"#;
    let arena = Bump::new();
    let page = read(&arena, page).unwrap();
    let names: Vec<_> = page.families.iter().map(|it| (it.name, it.kind, it.unit, it.series.len())).collect();
    assert_eq!(
        names,
        [
            ("a_total", Kind::Counter, "", 2),
            ("wait_seconds", Kind::Histogram, "seconds", 1),
            ("depth", Kind::GaugeHistogram, "", 1),
            ("state", Kind::StateSet, "", 2),
            ("build_info", Kind::Info, "", 1),
            ("rpc", Kind::Summary, "", 1),
            ("plain", Kind::Unknown, "", 1)
        ]
    );
    assert_eq!(page.families[0].help, "He said \"yes\"\n\"no\" \\o/");
    let series = page.families[0].series[0];
    let exemplar =
        Exemplar { labels: &[Label { name: "id", value: "7 # }" }], value: 0.5, timestamp: Some(1_604_676_851.123) };
    assert_eq!(series.value, Value::Counter(17.0, Some(&exemplar)));
    assert_eq!((series.created, series.timestamp), (Some(1_520_430_000.123), Some(1500)));
    assert_eq!(page.notes, []);
}

#[test]
fn the_end_is_marked() {
    let rows = [
        ("", "line 1: # EOF is missing: the body is cut off"),
        ("a 1\n", "line 2: # EOF is missing: the body is cut off"),
        ("a 1", "line 1: expected the end of the line"),
        ("a 1\n# EO", "line 2: a comment, which OpenMetrics does not have"),
        ("a 1\n# EOF\nb 1\n", "line 3: something after # EOF"),
        ("a 1\n# EOF\n\n", "line 3: something after # EOF"),
        ("a 1\n# EOFa", "line 2: something after # EOF"),
        ("a 1\n# EOF\r\n", "line 2: something after # EOF"),
        ("\u{feff}a 1\n# EOF\n", "line 1: expected the name of a metric"),
    ];
    for (page, fault) in rows {
        let arena = Bump::new();
        assert_eq!(read(&arena, page).unwrap_err().to_string(), fault, "{page}");
    }
    let arena = Bump::new();
    assert_eq!(read(&arena, "# EOF").unwrap().families, []);
}

#[test]
fn malformed_lines() {
    let quoted = "a name in quotes: names may have letters, digits, _ and : only; let the app escape them \
                  (escaping=underscores)";
    check(&[
        ("a 1\n", "an empty line"),
        (" a 1", "expected the name of a metric"),
        ("0a 1", "expected the name of a metric"),
        ("a.b 1", "expected one blank"),
        ("a-b 1", "expected one blank"),
        ("\"a.b\" 1", quoted),
        ("{\"a.b\"} 1", quoted),
        ("a{\"b.c\"=\"1\"} 1", quoted),
        // Labels
        ("a{b=1} 1", "expected =\" after the name of a label"),
        ("a{b='1'} 1", "expected =\" after the name of a label"),
        ("a{b} 1", "expected =\" after the name of a label"),
        ("a{b\"1\"} 1", "expected =\" after the name of a label"),
        ("a{b =\"1\"} 1", "expected =\" after the name of a label"),
        ("a{b= \"1\"} 1", "expected =\" after the name of a label"),
        ("a{b=} 1", "expected =\" after the name of a label"),
        ("a{ b=\"1\"} 1", "expected the name of a label"),
        ("a{1=\"1\"} 1", "expected the name of a label"),
        ("a{b:c=\"1\"} 1", "expected =\" after the name of a label"),
        ("a{,} 1", "expected the name of a label"),
        ("a{b=\"1\",} 1", "expected the name of a label"),
        ("a{b=\"1\",,c=\"2\"} 1", "expected the name of a label"),
        ("a{b=\"1\", c=\"2\"} 1", "expected the name of a label"),
        ("a{b=\"1\"c=\"2\"} 1", "expected , or } after the value of a label"),
        ("a{b=\"1\" } 1", "expected , or } after the value of a label"),
        ("a{b=\"1} 1", "the value of a label does not end"),
        ("a{b=\"1\nc\"} 1", "the value of a label does not end in its line"),
        ("a{b=\"1\",b=\"1\"} 1", "a label that is there twice"),
        ("a{__name__=\"b\"} 1", "a second name of the metric, as a label"),
        // Values
        ("a", "expected one blank"),
        ("a ", "expected a number"),
        ("a  1", "expected a number"),
        ("a\t1", "expected one blank"),
        ("a{b=\"1\"}1", "expected one blank"),
        ("a {b=\"1\"} 1", "expected a number"),
        ("a b", "expected a number"),
        ("a 1\t", "expected a number"),
        ("a 1\r", "expected a number"),
        ("a 1_2", "expected a number"),
        ("a 0x1p-3", "expected a number"),
        ("a 0b1", "expected a number"),
        ("a 0o1", "expected a number"),
        ("a 1e999", "expected a number"),
        // Times
        ("a 1 ", "expected a time in seconds"),
        ("a 1  2", "expected a time in seconds"),
        ("a 1 z", "expected a time in seconds"),
        ("a 1 1_2", "expected a time in seconds"),
        ("a 1 1.1.1", "expected a time in seconds"),
        ("a 1 NaN", "expected a time in seconds"),
        ("a 1 +Inf", "expected a time in seconds"),
        ("a 1 2 ", "expected a time or an exemplar"),
        ("a 1 2 3", "expected a time or an exemplar"),
    ]);
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_in_their_line() {
    for line in [&b"b{c=\"\xff\"} 1"[..], b"b\xc3 1", b"# HELP b \xed\xa0\x80", b"# TYPE b_total counter\xc0\x80"] {
        let page = [b"a 1\n", line, b"\n# EOF\n"].concat();
        let arena = Bump::new();
        let fault = parse(&arena, PageFormat::OpenMetrics, &page, &BOUNDS).unwrap_err();
        assert_eq!(fault.to_string(), "line 2: bytes that are not UTF-8", "{}", page.escape_ascii());
    }
}

#[test]
fn malformed_metadata() {
    let twice = "TYPE, HELP or UNIT twice for one family";
    let unit = "a unit that is not the end of the name, or of a type that has no unit";
    check(&[
        ("# a comment", "a comment, which OpenMetrics does not have"),
        ("# FOO a x", "a comment, which OpenMetrics does not have"),
        ("#TYPE a gauge", "a comment, which OpenMetrics does not have"),
        ("#", "a comment, which OpenMetrics does not have"),
        ("#  TYPE a gauge", "a comment, which OpenMetrics does not have"),
        (" # TYPE a gauge", "expected the name of a metric"),
        ("# HELP", "expected one blank"),
        ("# HELP ", "expected the name of a metric"),
        ("# HELP a", "expected one blank"),
        ("# HELP a\t", "expected one blank"),
        ("# HELP a x\r", "a carriage return at the end of a line"),
        ("# TYPE a", "expected one blank"),
        ("# TYPE a ", "an unknown type of metric"),
        ("# TYPE a  gauge", "an unknown type of metric"),
        ("# TYPE a gauge ", "an unknown type of metric"),
        ("# TYPE a untyped", "an unknown type of metric"),
        ("# TYPE a Gauge", "an unknown type of metric"),
        ("# UNIT a", "expected one blank"),
        ("# UNIT a seconds", unit),
        ("# UNIT a_seconds seconds ", unit),
        ("# UNIT seconds seconds", unit),
        ("# TYPE x_s info\n# UNIT x_s s", unit),
        ("# TYPE x_s stateset\n# UNIT x_s s", unit),
        // Twice, or behind the samples
        ("# HELP a \n# HELP a ", twice),
        ("# TYPE a info\n# TYPE a counter", twice),
        ("# UNIT a_s s\n# UNIT a_s s", twice),
        ("# TYPE a histogram\n# TYPE a gauge", twice),
    ]);
}

#[test]
fn exemplars_have_their_place_and_bounds() {
    let place = "an exemplar at something that is neither a counter nor a bucket";
    let shape = "expected a time or an exemplar";
    check(&[
        ("# TYPE a counter\na_total 1 #", shape),
        ("# TYPE a counter\na_total 1 #{} 1", shape),
        ("# TYPE a counter\na_total 1 # 1", shape),
        ("# TYPE a counter\na_total 1  # {} 1", "expected a time in seconds"),
        ("# TYPE a counter\na_total 1# {} 1", "expected a number"),
        ("# TYPE a counter\na_total 1 # {}1", "expected one blank"),
        ("# TYPE a counter\na_total 1 # {} ", "expected a number"),
        ("# TYPE a counter\na_total 1 # {} 1 ", "expected the time of an exemplar in seconds"),
        ("# TYPE a counter\na_total 1 # {} 1 NaN", "expected the time of an exemplar in seconds"),
        ("# TYPE a counter\na_total 1 # {} 1 1 ", "expected the end of the line"),
        ("# TYPE a counter\na_total 1 # {} 1 1 # {} 1", "expected the end of the line"),
        ("# TYPE a counter\na_total 1 # {a=\"1\",a=\"1\"} 1", "a label that is there twice"),
        ("# TYPE a counter\na_total 1 # id=\"a\"} 1", shape),
        ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1 # {} 1", place),
        ("# TYPE a counter\na_total 1\na_created 1 # {} 1", place),
        ("# TYPE a_bucket gauge\na_bucket 1 # {} 1", place),
        ("# TYPE a info\na_info 1 # {} 1", place),
        ("# TYPE a stateset\na{a=\"x\"} 1 # {} 1", place),
        ("# TYPE a summary\na{quantile=\"1\"} 1 # {} 1", place),
        ("a 1 # {} 1", place),
    ]);
}

/// Checks pages to which `# EOF` is added: the reasons of the notes, and the text of the series that stay
fn kept(rows: &[(&str, &str, &str)]) {
    for (page, reason, rest) in rows {
        let page = format!("{page}\n# EOF\n");
        let arena = Bump::new();
        let read = read(&arena, &page).unwrap_or_else(|fault| panic!("{fault}: {page}"));
        let reasons: Vec<_> = read.notes.iter().map(|note| note.reason).collect();
        let mut text = Vec::new();
        assert_eq!(encode(&read.families, PageFormat::Text, &mut text), [], "{page}");
        let text = String::from_utf8(text).unwrap();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!((reasons.join(", "), samples.join(" | ")), ((*reason).into(), (*rest).into()), "{page}");
    }
}

/// Prometheus accepts these pages, so a merge must not lose them. Only the encoder of OpenMetrics leaves out the forbidden values.
#[test]
fn values_that_a_type_forbids_cost_no_other_series() {
    kept(&[
        ("a{__b=\"1\"} 1", "", "a{__b=\"1\"} 1"),
        ("# TYPE a counter\na_total NaN", "", "a_total NaN"),
        ("# TYPE a counter\na_total -1", "", "a_total -1"),
        ("# TYPE a counter\na_created 1", "a counter without its _total", ""),
        ("# TYPE a counter\na_total 1\na_created NaN", "", "a_total 1"),
        ("# TYPE a info\na_info 2", "", "a_info 2"),
        ("# TYPE a stateset\na 1", "", "a 1"),
        ("# TYPE a stateset\na{a=\"x\"} 2", "", "a{a=\"x\"} 2"),
        ("# TYPE a summary\na 0\nb 1", "a quantile without a valid label quantile", "b 1"),
        ("# TYPE a summary\na{quantile=\"x\"} 0\nb 1", "a quantile without a valid label quantile", "b 1"),
        ("# TYPE a summary\na{quantile=\"NaN\"} 0\nb 1", "a quantile without a valid label quantile", "b 1"),
        ("# TYPE a summary\na{quantile=\"-1\"} 0", "", "a{quantile=\"-1\"} 0"),
        ("# TYPE a summary\na{quantile=\"1.5\"} 0", "", "a{quantile=\"1.5\"} 0"),
        ("# TYPE a summary\na{quantile=\"0.5\"} -1", "", "a{quantile=\"0.5\"} -1"),
        ("# TYPE a summary\na_sum{quantile=\"1\"} 1\nb 1", "le or quantile at a sample that has none", "b 1"),
        ("# TYPE a summary\na_sum NaN", "", "a_sum NaN"),
        ("# TYPE a summary\na_sum -1", "", "a_sum -1"),
        ("# TYPE a summary\na_count 0.5", "", "a_count 0.5"),
    ]);
}

#[test]
fn histograms_that_do_not_add_up_cost_no_other_series() {
    let le = "a bucket without a valid label le";
    kept(&[
        ("# TYPE a histogram\na_bucket 0\nb 1", le, "b 1"),
        ("# TYPE a histogram\na_bucket{le=\"x\"} 0\nb 1", le, "b 1"),
        ("# TYPE a histogram\na_bucket{le=\"NaN\"} 0\na_bucket{le=\"+Inf\"} 1\nb 1", le, "b 1"),
        ("# TYPE a histogram\na_bucket{le=\"Inf\"} 0\na_count 0", "", "a_bucket{le=\"+Inf\"} 0 | a_count 0"),
        ("# TYPE a histogram\na_bucket{le=\"+Inf\"} NaN", "", "a_bucket{le=\"+Inf\"} NaN"),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 0\nb 1", "neither a bucket +Inf nor a count", "b 1"),
        ("# TYPE a histogram\na_created 1\nb 1", "neither a bucket +Inf nor a count", "b 1"),
        ("# TYPE a histogram\na_sum 2\na_count 1", "", "a_bucket{le=\"+Inf\"} 1 | a_sum 2 | a_count 1"),
        (
            "# TYPE a histogram\na_bucket{le=\"2\"} 2\na_bucket{le=\"1\"} 1\na_count 3",
            "",
            "a_bucket{le=\"1\"} 1 | a_bucket{le=\"2\"} 2 | a_bucket{le=\"+Inf\"} 3 | a_count 3",
        ),
        (
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1",
            "",
            "a_bucket{le=\"1\"} 2 | a_bucket{le=\"+Inf\"} 1 | a_count 1",
        ),
        (
            "# TYPE a histogram\na_bucket{le=\"-1\"} 1\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1",
            "",
            "a_bucket{le=\"-1\"} 1 | a_bucket{le=\"+Inf\"} 1 | a_sum 1 | a_count 1",
        ),
    ]);
}

#[test]
fn gauge_histograms_that_do_not_add_up_cost_no_other_series() {
    let le = "a bucket without a valid label le";
    let aside = "le or quantile at a sample that has none";
    kept(&[
        ("# TYPE a gaugehistogram\na_bucket 0\nb 1", le, "b 1"),
        ("# TYPE a gaugehistogram\na_bucket{le=\"NaN\"} 0\na_bucket{le=\"+Inf\"} 1\nb 1", le, "b 1"),
        ("# TYPE a gaugehistogram\na_bucket{le=\"1\"} 0\nb 1", "neither a bucket +Inf nor a count", "b 1"),
        ("# TYPE a gaugehistogram\na_gsum 1\nb 1", "neither a bucket +Inf nor a count", "b 1"),
        ("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount{le=\"1\"} 1\nb 1", aside, "b 1"),
        ("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gsum{le=\"1\"} 1\nb 1", aside, "b 1"),
        ("# TYPE a gaugehistogram\na_gcount 1\na_gsum 2", "", "a_bucket{le=\"+Inf\"} 1 | a_gcount 1 | a_gsum 2"),
    ]);
}

/// Prometheus accepts these gauge histograms, so text has all of them, and OpenMetrics those that it allows.
#[test]
fn gauge_histograms_that_openmetrics_forbids_are_left_out_of_it_only() {
    let sum = "a sum that is NaN or negative";
    for (lines, reason) in [
        (["a_bucket{le=\"+Inf\"} 2", "a_gcount 2", "a_gsum -1"], sum),
        (["a_bucket{le=\"+Inf\"} 2", "a_gcount 2", "a_gsum NaN"], sum),
        (["a_bucket{le=\"-1\"} 1", "a_bucket{le=\"+Inf\"} 1", "a_gcount 1\na_gsum -1"], ""),
        (["a_bucket{le=\"+Inf\"} 2", "a_gcount 3", "a_gsum 1"], "a count that is not the bucket +Inf"),
        (["a_bucket{le=\"+Inf\"} 2.5", "a_gcount 2.5", "a_gsum 1"], "a bucket that is no whole number"),
        (["a_bucket{le=\"+Inf\"} -1", "a_gcount -1", "a_gsum -2"], "a bucket that is no whole number"),
        (["a_bucket{le=\"+Inf\"} NaN", "a_gcount NaN", "a_gsum 1"], "a bucket that is no whole number"),
        (["a_bucket{le=\"1\"} 2", "a_bucket{le=\"+Inf\"} 1", "a_gcount 1"], "buckets that do not add up"),
    ] {
        let lines = lines.join("\n");
        kept(&[(&format!("# TYPE a gaugehistogram\n{lines}"), "", &lines.replace('\n', " | "))]);
        let arena = Bump::new();
        let page = format!("# TYPE a gaugehistogram\n{lines}\n# EOF\n");
        let read = read(&arena, &page).unwrap();
        let mut written = Vec::new();
        let notes = encode(&read.families, PageFormat::OpenMetrics, &mut written);
        let reasons: Vec<_> = notes.iter().map(|note| note.reason).collect();
        assert_eq!(reasons.join(", "), reason, "{page}");
        assert_eq!(String::from_utf8(written).unwrap().contains("a_bucket{"), reason.is_empty(), "{page}");
    }
}

#[test]
fn an_exemplar_out_of_bounds_costs_itself_only() {
    let long = format!("{{a=\"{}\"}} 1", "é".repeat(128));
    let most = format!("{{a=\"{}\"}} 1", "é".repeat(127));
    for (exemplar, is_kept) in [(long.as_str(), false), ("{} 2", false), (&most, true)] {
        let arena = Bump::new();
        let page =
            format!("# TYPE a histogram\na_bucket{{le=\"1\"}} 1 # {exemplar}\na_bucket{{le=\"+Inf\"}} 1\n# EOF\n");
        let read = read(&arena, &page).unwrap();
        let mut written = Vec::new();
        assert_eq!(encode(&read.families, PageFormat::OpenMetrics, &mut written), []);
        assert_eq!(String::from_utf8(written).unwrap().contains(" # {"), is_kept, "{exemplar}");
    }
}

/// Prometheus accepts all of these pages. Python's client writes the second one when it counts in several processes.
#[test]
fn lines_of_a_metric_may_stand_anywhere() {
    let repeated = "repeated series";
    kept(&[
        ("a{x=\"1\"} 1\na{x=\"2\"} 2\na{x=\"1\"} 3", repeated, "a{x=\"1\"} 1 | a{x=\"2\"} 2"),
        (
            "# TYPE a histogram\na_sum{x=\"1\"} 1\na_sum{x=\"2\"} 2\na_bucket{x=\"1\",le=\"1\"} 3\n\
             a_bucket{x=\"1\",le=\"+Inf\"} 4\na_bucket{x=\"2\",le=\"+Inf\"} 5\na_count{x=\"1\"} 4\na_count{x=\"2\"} 5",
            "",
            "a_bucket{x=\"1\",le=\"1\"} 3 | a_bucket{x=\"1\",le=\"+Inf\"} 4 | a_sum{x=\"1\"} 1 | a_count{x=\"1\"} 4 | \
             a_bucket{x=\"2\",le=\"+Inf\"} 5 | a_sum{x=\"2\"} 2 | a_count{x=\"2\"} 5",
        ),
        (
            "# TYPE a counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 2\na_created{x=\"1\"} 3\na_created{x=\"2\"} 4",
            "",
            "a_total{x=\"1\"} 1 | a_total{x=\"2\"} 2 | a_created{x=\"1\"} 3 | a_created{x=\"2\"} 4",
        ),
        (
            "# TYPE a stateset\na{a=\"1\",x=\"1\"} 0\na{a=\"1\",x=\"2\"} 0\na{a=\"2\",x=\"1\"} 1\na{a=\"1\",x=\"1\"} 1",
            repeated,
            "a{a=\"1\",x=\"1\"} 0 | a{a=\"1\",x=\"2\"} 0 | a{a=\"2\",x=\"1\"} 1",
        ),
    ]);
}

#[test]
fn families_may_stand_in_pieces() {
    let repeated = "repeated series";
    let other = "a name of another family";
    kept(&[
        ("# HELP a x\na 1\n# TYPE a gauge", "", "a 1"),
        ("# TYPE a gauge\na 1\n# HELP a x\na{x=\"1\"} 2", "", "a 1 | a{x=\"1\"} 2"),
        ("# TYPE a counter\n# TYPE b gauge\nb 1\n# TYPE a counter\na_total 1", "", "a_total 1 | b 1"),
        ("a 1\nb 1\na 2", repeated, "a 1 | b 1"),
        ("# TYPE a counter\na_total 1\nb 1\na_total{x=\"1\"} 2", "", "a_total 1 | a_total{x=\"1\"} 2 | b 1"),
        (
            "# TYPE a histogram\na_count 1\nb 1\na_bucket{x=\"1\",le=\"+Inf\"} 2\na_count{x=\"1\"} 2",
            "",
            "a_bucket{le=\"+Inf\"} 1 | a_count 1 | a_bucket{x=\"1\",le=\"+Inf\"} 2 | a_count{x=\"1\"} 2 | b 1",
        ),
        ("# TYPE a info\na_info 1\nb 1\na_info{x=\"2\"} 1", "", "a_info 1 | a_info{x=\"2\"} 1 | b 1"),
        (
            "# TYPE a counter\na_total 1\na 1\na_total{x=\"1\"} 2",
            "two types with one name",
            "a_total 1 | a_total{x=\"1\"} 2 | a 1",
        ),
        // Samples of two families with one name
        ("# TYPE a_created gauge\na_created 1\n# TYPE a counter\na_total 1", other, "a_created 1"),
        ("# TYPE a summary\na_count 1\n# TYPE a_count gauge\na_count{x=\"1\"} 1", other, "a_count 1"),
        ("# TYPE a gauge\na 1\n# TYPE a histogram\na_count 1", other, "a 1"),
    ]);
}

#[test]
fn the_newest_of_several_points_counts() {
    let older = "older point of a series";
    kept(&[
        ("a 0 -1\na 1 2", older, "a 1 2000"),
        ("a 0 1.1\na 1 1", older, "a 0 1100"),
        ("# TYPE a counter\na_total 5 9\na_total 4 8\na_created 1 8", older, "a_total 5 9000"),
        ("a 0\na 1 0", "repeated series", "a 0"),
        ("a 0 0\na 1", "repeated series", "a 0 0"),
    ]);
    let arena = Bump::new();
    let page = "a 1 1\na 2 2\nb 3\nb 4\n# TYPE s stateset\ns{s=\"x\"} 0 1\ns{s=\"y\"} 1 1\ns{s=\"x\"} 1 2\n# EOF\n";
    let page = read(&arena, page).unwrap();
    let values: Vec<_> = page.families.iter().flat_map(|it| &it.series).map(|it| (it.value, it.timestamp)).collect();
    assert_eq!(
        values,
        [(Value::Number(2.0), Some(2000)), (Value::Number(3.0), None), (Value::Number(1.0), Some(2000))]
    );
    let notes: Vec<_> = page.notes.iter().map(|it| (it.family.as_str(), it.reason)).collect();
    assert_eq!(notes, [("a", "older point of a series"), ("b", "repeated series"), ("s", "older point of a series")]);
}

#[test]
fn a_counter_may_have_the_name_of_a_gauge_as_in_go() {
    let arena = Bump::new();
    let page = "# HELP a x\n# TYPE a gauge\na 1\n# HELP a y\n# TYPE a counter\na_total 2\n# EOF\n";
    let page = read(&arena, page).unwrap();
    let names: Vec<_> = page.families.iter().map(|it| (it.name, it.kind, it.help)).collect();
    assert_eq!(names, [("a", Kind::Gauge, "x"), ("a_total", Kind::Counter, "y")]);
    assert_eq!(page.notes[0].reason, "two types with one name");
    assert_eq!(page.notes[0].series, 0);
}
