//! The headers of scrapers, browsers and unusual clients, and the answers that they get.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
    let value = |line: &&str| (name.clone(), HeaderValue::from_str(line).unwrap());
    lines.iter().map(value).collect()
}

fn accepted(line: &str) -> PageFormat {
    format(&headers(&ACCEPT, &[line]))
}

fn accepted_encoding(line: &str) -> Encoding {
    encoding(&headers(&ACCEPT_ENCODING, &[line]))
}

/// As their sources write them
#[test]
fn scrapers_get_what_they_prefer() {
    let prometheus_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let prometheus_2_42_native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
        application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let prometheus_2_5 = "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let prometheus_1 = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let prometheus_3_native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
        application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    let prometheus_3_text_only = "text/plain;version=0.0.4;q=0.6,*/*;q=0.5";
    let victoria_metrics = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
    let only_openmetrics = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1";
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    for (line, format) in [
        (prometheus_2_42, PageFormat::OpenMetrics),
        (prometheus_2_42_native, PageFormat::Protobuf),
        (prometheus_2_5, PageFormat::Text),
        (prometheus_1, PageFormat::Protobuf),
        (prometheus_3, PageFormat::OpenMetrics),
        (prometheus_3_native, PageFormat::Protobuf),
        (prometheus_3_text_only, PageFormat::Text),
        (victoria_metrics, PageFormat::Text),
        (only_openmetrics, PageFormat::OpenMetrics),
        (browser, PageFormat::Text),
        ("*/*", PageFormat::Text),
        ("application/openmetrics-text", PageFormat::OpenMetrics),
        ("application/openmetrics-text; charset=utf-8", PageFormat::OpenMetrics),
        ("text/plain", PageFormat::Text),
    ] {
        assert_eq!(accepted(line), format, "{line}");
    }
    assert_eq!(format(&HeaderMap::new()), PageFormat::Text);
}

#[test]
fn the_greatest_quality_wins() {
    for (line, format) in [
        ("text/plain;q=0.4, application/openmetrics-text;q=0.5", PageFormat::OpenMetrics),
        ("text/plain;q=0.5, application/openmetrics-text;q=0.4", PageFormat::Text),
        ("application/openmetrics-text, text/plain", PageFormat::OpenMetrics),
        ("text/plain, application/openmetrics-text", PageFormat::Text),
        ("*/*, application/openmetrics-text", PageFormat::OpenMetrics),
        ("application/*", PageFormat::OpenMetrics),
        ("application/*, application/openmetrics-text;q=0", PageFormat::Protobuf),
        ("text/*;q=0.1, */*;q=0.9", PageFormat::OpenMetrics),
        ("*/*, text/plain;q=0, application/openmetrics-text;q=0", PageFormat::Protobuf),
        ("TEXT/PLAIN;q=0.1,Application/OpenMetrics-Text;Version=\"1.0.0\";Q=0.2", PageFormat::OpenMetrics),
        ("text/plain;q=1.000, application/openmetrics-text;q=high", PageFormat::Text),
        ("text/plain;q=0.9, application/openmetrics-text;q=", PageFormat::OpenMetrics),
        ("text/plain;q=0.9, application/openmetrics-text;q=7", PageFormat::OpenMetrics),
        ("text/plain;q=0.9, application/openmetrics-text;q=-1", PageFormat::OpenMetrics),
    ] {
        assert_eq!(accepted(line), format, "{line}");
    }
}

#[test]
fn other_versions_and_encodings_are_other_formats() {
    for line in [
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text",
        "application/vnd.google.protobuf;proto=io.prometheus.write.v2.Request;encoding=delimited",
        "application/json",
        "text/plain;version=1.0.0",
        "text/plain;q=0",
        "*/*;q=0",
        "nonsense",
        ",;,;q=",
        "text/plain;comment=\"a, application/openmetrics-text, b\"",
    ] {
        assert_eq!(accepted(line), PageFormat::Text, "{line}");
    }
}

#[test]
fn several_lines_are_one_list() {
    let lines = ["text/plain;q=0.1", "application/openmetrics-text;q=0.2"];
    assert_eq!(format(&headers(&ACCEPT, &lines)), PageFormat::OpenMetrics);
    let lines = ["deflate", "gzip"];
    assert_eq!(encoding(&headers(&ACCEPT_ENCODING, &lines)), Encoding::Gzip);
}

#[test]
fn encodings_are_those_that_the_client_names() {
    for (line, encoding) in [
        ("gzip", Encoding::Gzip),
        ("x-gzip", Encoding::Gzip),
        ("GZIP", Encoding::Gzip),
        ("gzip, deflate, br, zstd", Encoding::Zstd),
        ("zstd;q=0.5, gzip", Encoding::Gzip),
        ("deflate, br", Encoding::Identity),
        ("identity", Encoding::Identity),
        ("identity, gzip;q=0.5", Encoding::Identity),
        ("identity;q=0.5, gzip", Encoding::Gzip),
        ("gzip;q=0", Encoding::Identity),
        ("gzip;q=0, *", Encoding::Identity),
        ("*", Encoding::Gzip),
        ("*;q=0", Encoding::Identity),
        ("identity;q=0", Encoding::Identity),
        ("identity;q=0, *;q=0.1", Encoding::Gzip),
        ("", Encoding::Identity),
    ] {
        assert_eq!(accepted_encoding(line), encoding, "{line}");
    }
    assert_eq!(encoding(&HeaderMap::new()), Encoding::Identity);
}

const TYPES: [&str; 6] =
    ["text/plain", "application/openmetrics-text", "application/vnd.google.protobuf", "text/*", "*/*", "text/html"];

proptest! {
    /// Any bytes of a header give an answer.
    #[test]
    fn any_header_has_an_answer(line in "[ -~]{0,80}") {
        Answer::to(&headers(&ACCEPT, &[&line]));
        Answer::to(&headers(&ACCEPT_ENCODING, &[&line]));
    }

    /// With whole types, each once, the quality alone decides: no other type that is there has a greater one.
    #[test]
    fn no_accepted_format_has_a_greater_quality(qualities in prop::array::uniform3(0u16..=1000)) {
        let element = |index: usize| format!("{};q={:.3}", TYPES[index], f64::from(qualities[index]) / 1000.0);
        let line = [element(0), element(1), element(2)].join(",");
        let index = FORMATS.iter().position(|format| *format == accepted(&line)).unwrap();
        prop_assert_eq!(qualities[index], *qualities.iter().max().unwrap(), "{}", line);
    }

    /// A format that is excluded by name is never chosen while another one is accepted by name.
    #[test]
    fn an_excluded_format_is_not_chosen(excluded in 0usize..3, accepted_one in 0usize..3, wildcard in 3usize..6) {
        prop_assume!(excluded != accepted_one);
        let line = format!("{};q=0,{};q=0.1,{}", TYPES[excluded], TYPES[accepted_one], TYPES[wildcard]);
        prop_assert_ne!(accepted(&line), FORMATS[excluded], "{}", line);
    }
}
