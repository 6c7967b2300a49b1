//! Families and series that do not fit a format, and their replacement there.

use bumpalo::Bump;

use crate::exposition::{
    encode::encode,
    page::{Bounds, Note},
    page_format::PageFormat,
    parse::parse,
};

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };

/// The page of one format in another one, and the notes about it
fn converted(page: &str, from: PageFormat, to: PageFormat) -> (String, Vec<Note>) {
    let arena = Bump::new();
    let read = parse(&arena, from, page.as_bytes(), &BOUNDS).unwrap_or_else(|fault| panic!("{fault}: {page}"));
    let mut written = Vec::new();
    let left_out = encode(&read.families, to, &mut written);
    let again = parse(&arena, to, &written.clone().leak()[..], &BOUNDS).map(|page| page.notes);
    let written = String::from_utf8(written).unwrap();
    assert_eq!(again, Ok(vec![]), "{written}");
    (written, left_out)
}

/// Checks a text page as OpenMetrics: its lines without `# EOF`, and each note's reason and number of series
fn as_openmetrics(page: &str, lines: &[&str], notes: &[(&str, usize)]) {
    check(converted(page, PageFormat::Text, PageFormat::OpenMetrics), &[lines, &["# EOF"]].concat(), notes);
}

/// Checks a page of OpenMetrics as text.
fn as_text(page: &str, lines: &[&str], notes: &[(&str, usize)]) {
    check(converted(page, PageFormat::OpenMetrics, PageFormat::Text), lines, notes);
}

fn check((written, left_out): (String, Vec<Note>), lines: &[&str], notes: &[(&str, usize)]) {
    assert_eq!(written.lines().collect::<Vec<_>>(), lines);
    assert_eq!(left_out.iter().map(|note| (note.reason, note.series)).collect::<Vec<_>>(), notes);
}

#[test]
fn a_counter_beside_a_gauge_of_its_name_is_unknown_in_openmetrics() {
    let lines = ["# TYPE go_bytes gauge", "go_bytes 1", "# TYPE go_bytes_total unknown", "go_bytes_total 2"];
    as_openmetrics("# TYPE go_bytes gauge\ngo_bytes 1\n# TYPE go_bytes_total counter\ngo_bytes_total 2\n", &lines, &[]);
    let (written, _) = converted(
        "# TYPE go_bytes_total counter\ngo_bytes_total 2\n# TYPE go_bytes gauge\ngo_bytes 1\n",
        PageFormat::Text,
        PageFormat::OpenMetrics,
    );
    assert_eq!(written.lines().collect::<Vec<_>>(), [lines[2], lines[3], lines[0], lines[1], "# EOF"]);
}

#[test]
fn a_counter_without_total_is_unknown_in_openmetrics() {
    as_openmetrics("# TYPE hits counter\nhits 3\n", &["# TYPE hits unknown", "hits 3"], &[]);
}

#[test]
fn names_of_samples_belong_to_the_first_family() {
    as_openmetrics(
        "# TYPE a summary\na_sum 1\n# TYPE a_count gauge\na_count 1\na_count{x=\"1\"} 1\n",
        &["# TYPE a summary", "a_sum 1"],
        &[("a name of another family", 2)],
    );
    as_openmetrics(
        "# TYPE a_created gauge\na_created 5\na_created{x=\"1\"} 6\n# TYPE a_total counter\na_total 1\n",
        &["# TYPE a_created gauge", "a_created 5", "a_created{x=\"1\"} 6"],
        &[("a name of another family", 1)],
    );
}

#[test]
fn openmetrics_reserves_names_of_labels() {
    let notes = [("a reserved name of a label", 1)];
    as_openmetrics("a{__x=\"1\"} 1\na 2\n", &["# TYPE a unknown", "a 2"], &notes);
    as_openmetrics("# TYPE a counter\na{__x=\"1\"} 1\na 2\n", &["# TYPE a unknown", "a 2"], &notes);
}

#[test]
fn values_that_openmetrics_forbids_cost_their_series_only() {
    as_openmetrics(
        "# TYPE a_total counter\na_total{x=\"1\"} NaN\na_total{x=\"2\"} -1\na_total{x=\"3\"} 1\n",
        &["# TYPE a counter", "a_total{x=\"3\"} 1"],
        &[("a counter that is NaN or negative", 2)],
    );
    as_openmetrics(
        "# TYPE a histogram\na_bucket{le=\"1\",x=\"1\"} 0.5\na_bucket{le=\"+Inf\",x=\"1\"} 2\n\
         a_bucket{le=\"1\",x=\"2\"} 3\na_bucket{le=\"+Inf\",x=\"2\"} 2\n\
         a_bucket{le=\"+Inf\",x=\"3\"} 2\na_count{x=\"3\"} 3\na_sum{x=\"3\"} 3\n",
        &[],
        &[
            ("a bucket that is no whole number", 1),
            ("buckets that do not add up", 1),
            ("a count that is not the bucket +Inf", 1),
        ],
    );
    as_openmetrics(
        "# TYPE a summary\na{quantile=\"2\"} 1\na_sum{x=\"1\"} -1\na_count{x=\"2\"} 1.5\na{quantile=\"0.5\",x=\"3\"} -1\n",
        &[],
        &[
            ("a quantile that is not between 0 and 1", 1),
            ("the value of a quantile is negative", 1),
            ("a sum that is NaN or negative", 1),
            ("a count that is no whole number", 1),
        ],
    );
}

#[test]
fn totals_of_a_histogram_are_those_that_openmetrics_allows() {
    as_openmetrics(
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 3\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 2\nb_count 2\n\
         # TYPE c histogram\nc_bucket{le=\"-1\"} 1\nc_bucket{le=\"+Inf\"} 2\nc_sum 3\nc_count 2\n",
        &[
            "# TYPE a histogram",
            "a_bucket{le=\"+Inf\"} 2",
            "a_count 2",
            "a_sum 3",
            "# TYPE b histogram",
            "b_bucket{le=\"+Inf\"} 2",
            "# TYPE c histogram",
            "c_bucket{le=\"-1.0\"} 1",
            "c_bucket{le=\"+Inf\"} 2",
        ],
        &[],
    );
}

#[test]
fn types_that_text_does_not_have_are_gauges_and_histograms() {
    as_text(
        "# TYPE build info\nbuild_info{v=\"1\"} 1\n# TYPE state stateset\nstate{state=\"on\"} 1\n# TYPE depth gaugehistogram\n\
         # HELP depth x\ndepth_bucket{le=\"10.0\"} 1\ndepth_bucket{le=\"+Inf\"} 2\ndepth_gcount 2\ndepth_gsum 5\n\
         # TYPE a counter\na_total 1\na_created 1520430000.5\n# EOF\n",
        &[
            "# TYPE build_info gauge",
            "build_info{v=\"1\"} 1",
            "# TYPE state gauge",
            "state{state=\"on\"} 1",
            "# HELP depth x",
            "# TYPE depth histogram",
            "depth_bucket{le=\"10\"} 1",
            "depth_bucket{le=\"+Inf\"} 2",
            "# HELP depth_gcount x",
            "# TYPE depth_gcount gauge",
            "depth_gcount 2",
            "# HELP depth_gsum x",
            "# TYPE depth_gsum gauge",
            "depth_gsum 5",
            "# TYPE a_total counter",
            "a_total 1",
            "# TYPE a_created gauge",
            "a_created 1520430000.5",
        ],
        &[],
    );
}

#[test]
fn times_of_creation_in_text_are_known_again() {
    as_openmetrics(
        "# TYPE a_total counter\na_total{x=\"1\"} 1\n# TYPE a_created gauge\na_created{x=\"1\"} 1.5e+09\n",
        &["# TYPE a counter", "a_total{x=\"1\"} 1", "a_created{x=\"1\"} 1500000000"],
        &[],
    );
}

#[test]
fn text_has_no_times_before_1970() {
    as_text(
        "# TYPE a gauge\na 1 -1\na{x=\"1\"} 1 1\n# EOF\n",
        &["# TYPE a gauge", "a{x=\"1\"} 1 1000"],
        &[("a time before 1970", 1)],
    );
}

#[test]
fn help_and_units_have_the_form_of_openmetrics() {
    as_openmetrics(
        "# HELP a say \"hi\" \\\\o/\r\na 1\n",
        &["# TYPE a unknown", "# HELP a say \\\"hi\\\" \\\\o/", "a 1"],
        &[],
    );
    let page = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n# EOF\n";
    let (written, _) = converted(page, PageFormat::OpenMetrics, PageFormat::OpenMetrics);
    assert_eq!(written, page);
}

/// A scraper refuses the whole page where a series has the label `le` twice.
#[test]
fn a_histogram_with_a_label_le_of_its_own_is_in_no_format() {
    let page = "# TYPE h histogram\nh_count{le=\"5\"} 3\n# TYPE s summary\ns_count{quantile=\"0.5\"} 3\n";
    let arena = Bump::new();
    let read = parse(&arena, PageFormat::Text, page.as_bytes(), &BOUNDS).unwrap();
    for format in [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf] {
        let mut written = Vec::new();
        let left_out = encode(&read.families, format, &mut written);
        let reasons: Vec<_> = left_out.iter().map(|note| note.reason).collect();
        let expected = ["a histogram with a label le of its own", "a summary with a label quantile of its own"];
        assert_eq!(reasons, expected, "{format:?}");
    }
}
