//! Times in all forms, and what is none.

use proptest::prelude::*;

use super::{calendar::NANOSECONDS, *};
use crate::format::record::{Field, Value};

const SECOND: i64 = 1_795_514_325;

#[test]
fn one_time_in_many_forms() {
    for text in [
        "2026-11-24T09:58:45Z",
        "2026-11-24t09:58:45z",
        "2026-11-24T10:58:45+01:00",
        "2026-11-24 04:28:45 -0530",
        "2026/11/24 09:58:45",
        "2026-11-24T09:58:45.000000000000Z",
        " 2026-11-24T09:58:45+00\r",
        "24/Nov/2026:10:58:45 +0100",
        "24/Nov/2026:09:58:45",
        "1795514325",
        "1795514325.0",
        "1795514325000",
        "1795514325000000",
        "1795514325000000000",
        "1.795514325e9",
        "1.795514325E+12",
        "20261124T095845Z",
        "20261124T105845+0100",
        "20261124T095845",
        "Tue, 24 Nov 2026 10:58:45 +0100",
        "Tue, 24 Nov 2026 09:58:45 GMT",
        "24 Nov 2026 04:58:45 EST",
        "2026-11-24 09:58:45 UTC",
        "2026-11-24 10:58:45 CET",
        "2026-11-24 01:58:45 PST",
        "2026-11-24T10:58:45+01:00[Europe/Berlin]",
    ] {
        assert_eq!(parse(text), Some(SECOND * NANOSECONDS), "{text}");
    }
}

#[test]
fn fractions() {
    for (text, nanoseconds) in [
        ("2026-11-24T09:58:45.1Z", 100_000_000),
        ("2026-11-24 09:58:45,123", 123_000_000),
        ("2026-11-24T09:58:45.1234567891Z", 123_456_789),
        ("20261124T095845.123Z", 123_000_000),
        ("20261124T095845,5+0000", 500_000_000),
        ("1795514325.123456789", 123_456_789),
        ("1795514325123.5", 123_500_000),
        ("1795514325123456789", 123_456_789),
        ("1795514325123456.789", 123_456_789),
    ] {
        assert_eq!(parse(text), Some(SECOND * NANOSECONDS + nanoseconds), "{text}");
    }
}

#[test]
fn what_is_no_time() {
    for text in [
        "",
        "yesterday",
        "12",
        "0.123",
        "-1795514325",
        "nan",
        "inf",
        "1e300",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-24",
        "2026-11-24T09:58Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T09:58:45.Z",
        "2026-11-24T09:58:45 MEZ",
        "2026-11/24T09:58:45Z",
        "24/nov/2026:09:58:45 +0100",
        "24/Nov/2026 09:58:45",
        "9999-11-24T09:58:45Z",
        "2026-1é-24T09:58:45Z",
        "24/Nov/2026:09:58:45 +1",
        "99999999999999999999",
        "20261324T095845Z",
        "20261124T0958Z",
        "20261124T095845.Z",
        "24 November 2026 09:58:45",
        "24 Nov 26 09:58:45",
        "Tue, 24 Nov 2026",
        "24 Nov 2026 9:58:45 +0100",
        "2026-11-24 10:58:45 IST",
        "é, 24 Nov 2026 09:58:45",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "[0-9TZ:./+eE -]{0,40}|([A-Z]{3},)? ?[0-9]{1,2} Nov [0-9]{4} [0-9:]{4,9}( [A-Z+0-9]{0,5})?|[0-9]{8}T[0-9.,Z+é]{0,20}|\\PC{0,30}") {
        let _ = parse(&text);
    }
}

fn zone(text: &str) -> Zone {
    text.parse().unwrap()
}

#[test]
fn a_time_without_zone_is_in_the_given_one() {
    let berlin = zone("Europe/Berlin");
    for (text, utc) in [
        ("2026-11-24 10:58:45", "2026-11-24T09:58:45Z"),
        ("2026-07-24 10:58:45", "2026-07-24T08:58:45Z"),
        ("2026-07-24T10:58:45Z", "2026-07-24T10:58:45Z"),
        ("20260724T105845", "2026-07-24T08:58:45Z"),
        ("24 Jul 2026 10:58:45", "2026-07-24T08:58:45Z"),
        ("24/Jul/2026:10:58:45", "2026-07-24T08:58:45Z"),
        // The clock jumps from two to three in spring. In autumn, the hour from two to three comes
        // twice.
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25 02:30:00 CEST", "2026-10-25T00:30:00Z"),
        ("2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"),
    ] {
        assert_eq!(known::parse_in(text, &berlin), parse(utc), "{text}");
    }
    let at_half_past = known::parse_in("2026-11-24 15:28:45", &zone("+05:30"));
    assert_eq!(at_half_past, Some(SECOND * NANOSECONDS));
}

#[test]
fn an_abbreviation_of_the_given_zone_comes_first() {
    let text = "2026-11-24 17:58:45 CST";
    assert_eq!(known::parse_in(text, &zone("Asia/Shanghai")), parse("2026-11-24T09:58:45Z"));
    assert_eq!(parse(text), parse("2026-11-24T23:58:45Z"));
    let india = known::parse_in("2026-11-24 15:28:45 IST", &zone("Asia/Kolkata"));
    assert_eq!(india, parse("2026-11-24T09:58:45Z"));
}

#[test]
fn words_that_name_no_zone() {
    let error = |text: &str| text.parse::<Zone>().unwrap_err();
    assert_eq!(error("Europe/Berlim"), "this is the name of no time zone; did you mean Europe/Berlin?");
    let hint = "write one of IANA's, such as Europe/Berlin, or an offset such as +01:00";
    for text in ["", "?", "+1", "+99:00", "../etc/passwd"] {
        assert_eq!(error(text), format!("this is the name of no time zone; {hint}"), "{text}");
    }
}

fn in_form(form: &str, text: &str) -> Option<i64> {
    form.parse::<TimeForm>().unwrap().read(text, &zone("Europe/Berlin"))
}

#[test]
fn a_form_reads_its_own_times_alone() {
    let at = |milliseconds: i64| Some((SECOND * 1000 + milliseconds) * 1_000_000);
    assert_eq!(in_form("unix", "1795514325.25"), at(250));
    assert_eq!(in_form("unix_ms", "1795514325250"), at(250));
    assert_eq!(in_form("unix_us", " 1795514325250000"), at(250));
    assert_eq!(in_form("unix_ns", "1795514325250000000"), at(250));
    assert_eq!(in_form("unix", "12"), Some(12 * NANOSECONDS));
    assert_eq!(in_form("unix_ms", "-1500"), Some(-1_500_000_000));
    assert_eq!(in_form("rfc3339", "2026-11-24T09:58:45.25Z"), at(250));
    assert_eq!(in_form("%d.%m.%Y %H:%M:%S%.f", "24.11.2026 10:58:45.25"), at(250));
    assert_eq!(in_form("%b %d, %Y %I:%M:%S %p %z", "Nov 24, 2026 01:58:45 AM -0800"), at(0));
    assert_eq!(in_form("%F %T %Q", "2026-11-24 04:58:45 America/New_York"), at(0));
    assert_eq!(in_form("[%s]", "[1795514325]"), at(0));
    for (form, text) in [
        ("unix", "2026-11-24T09:58:45Z"),
        ("unix", "nan"),
        ("unix", "1e300"),
        ("unix", ""),
        ("rfc3339", "1795514325"),
        ("rfc3339", ""),
        ("%d.%m.%Y", "24.11.2026 10:58"),
        ("%d.%m.%Y %H:%M", "31.02.2026 10:58"),
    ] {
        assert_eq!(in_form(form, text), None, "{form} {text}");
    }
}

#[test]
fn words_that_name_no_form() {
    let error = |text: &str| text.parse::<TimeForm>().unwrap_err();
    assert_eq!(error("unix_sm"), "this is the name of no form of a time; did you mean unix_ms?");
    assert!(error("").ends_with("or one such as %d.%m.%Y %H:%M:%S"));
    for pattern in ["%", "%H:%M:%S", "%b %d %H:%M:%S", "%Y-%m-%d %E", "%Y-%m-%d %H:%M:%S %Z"] {
        assert!(error(pattern).starts_with("this pattern reads no time, because "), "{pattern}: {}", error(pattern));
    }
}

fn rule(key: Option<&str>, form: Option<&str>) -> TimeRule {
    let flags = TimeFlags {
        key: key.map(|key| key.parse().unwrap()),
        form: form.map(|form| form.parse().unwrap()),
        zone: None,
    };
    flags.into()
}

#[test]
fn usual_fields_hold_the_time_in_usual_forms() {
    let json = |name: &'static str, value: &'static str| (name, Value::Json(value.into()));
    let text = |name: &'static str, value: &'static str| (name, Value::Text(value.into()));
    for (name, value) in [
        text("t", "2026-11-24T09:58:45Z"),
        text("@t", "2026-11-24T09:58:45.0000000Z"),
        text("asctime", "2026-11-24 09:58:45,000"),
        json("ts", "1795514325.0"),
        json("timeMillis", "1795514325000"),
        json("t", r#"{"$date":"2026-11-24T10:58:45.000+01:00"}"#),
        json("t", r#"{"$date": 1795514325000}"#),
        json("t", r#"{"$date":{"$numberLong":"1795514325000"}}"#),
    ] {
        let mut fields: Vec<Field<'_>> = vec![("a".into(), Value::Json("1".into())), (name.into(), value)];
        assert_eq!(rule(None, None).take(&mut fields), Some(SECOND * NANOSECONDS), "{name}");
        assert_eq!(fields.len(), 1);
    }
    for (name, value) in [
        json("t", "21.5"),
        json("t", "{}"),
        json("t", r#"{"$date":null}"#),
        json("t", r#"{"$date":{"$numberLong":5}}"#),
        json("t", "[1795514325]"),
        text("T", "2026-11-24T09:58:45Z"),
    ] {
        let mut fields: Vec<Field<'_>> = vec![(name.into(), value)];
        assert_eq!((rule(None, None).take(&mut fields), fields.len()), (None, 1), "{fields:?}");
    }
}

#[test]
fn a_named_field_holds_the_time_alone() {
    let fields = || -> Vec<Field<'_>> {
        vec![("time".into(), Value::Text("2026-11-24T09:58:45Z".into())), ("at".into(), Value::Json("9".into()))]
    };
    let mut named = fields();
    assert_eq!(rule(Some("at"), Some("unix")).take(&mut named), Some(9 * NANOSECONDS));
    assert_eq!(named, fields()[..1]);
    assert_eq!(rule(Some("at"), None).take(&mut fields()), None);
    assert_eq!(rule(Some("gone"), None).take(&mut fields()), None);
    assert_eq!(rule(None, Some("unix")).take(&mut fields()), None);
}

proptest! {
    #[test]
    fn any_pattern_and_any_text(pattern in "(%[A-Za-z.:0-9 %]{0,3}|[a-z:. ]|\\PC){0,8}", text in "\\PC{0,30}") {
        if let Ok(form) = pattern.parse::<TimeForm>() {
            let _ = form.read(&text, &zone("America/New_York"));
        }
    }
}
