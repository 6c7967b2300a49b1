//! logfmt: `key=value key="quoted value" key`. A line without a single `key=` is prose and does not
//! parse.

use std::borrow::Cow;

use memchr::memchr;

use super::{escapes, fields, time::TimeRule};
use crate::format::record::{Field, Parsed, Value};

/// Digits of an integer that fits every collector's 64 bits; a longer one is a name made of digits.
const LONGEST_INTEGER: usize = 18;
const LONGEST_NUMBER: usize = 26;

/// A key alone is true. Numbers and booleans are typed, unless they are quoted.
pub(super) fn read<'a>(text: &'a str, rule: &TimeRule) -> Option<Parsed<'a>> {
    let (mut rest, mut fields, mut has_value) = (text.trim_ascii_start(), Vec::with_capacity(8), false);
    while !rest.is_empty() {
        let (field, behind) = next(rest, &mut has_value)?;
        fields.push(field);
        rest = behind.trim_ascii_start();
        if rest.len() == behind.len() && !rest.is_empty() {
            // A quoted value with something glued to it.
            return None;
        }
    }
    has_value.then(|| fields::parsed(fields, rule))
}

fn next<'a>(text: &'a str, has_value: &mut bool) -> Option<(Field<'a>, &'a str)> {
    let length = text.bytes().take_while(|byte| !ends_key(*byte)).count();
    let (key, rest) = text.split_at(length);
    if key.is_empty() || rest.starts_with('"') {
        return None;
    }
    let Some(rest) = rest.strip_prefix('=') else { return Some(((key.into(), Value::Json("true".into())), rest)) };
    *has_value = true;
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = unquote(quoted)?;
        return Some(((key.into(), Value::Text(value)), rest));
    }
    let length = rest.bytes().take_while(|byte| !byte.is_ascii_whitespace()).count();
    let (value, rest) = rest.split_at(length);
    Some(((key.into(), typed(value)), rest))
}

fn ends_key(byte: u8) -> bool {
    byte <= b' ' || byte == b'=' || byte == b'"'
}

/// The text before the closing quote, and the text behind it
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let quote = memchr(b'"', text.as_bytes())?;
    if memchr(b'\\', &text.as_bytes()[..quote]).is_none() {
        return Some((text[..quote].into(), &text[quote + 1..]));
    }
    let (mut plain, mut rest) = (Vec::with_capacity(text.len().min(quote * 2)), text);
    loop {
        let length = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
        plain.extend_from_slice(&rest.as_bytes()[..length]);
        let is_end = rest.as_bytes()[length] == b'"';
        rest = &rest[length + 1..];
        if is_end {
            break;
        }
        rest = escapes::read(rest, &mut plain)?;
    }
    let plain = String::from_utf8_lossy(&plain).into_owned();
    Some((plain.into(), rest))
}

fn typed(value: &str) -> Value<'_> {
    if value == "true" || value == "false" || is_number(value) {
        Value::Json(value.into())
    } else {
        Value::Text(value.into())
    }
}

/// Whether JSON writes a number so, and nothing else looks like it: an exponent has its sign (as Go
/// writes it), since there are hashes such as `12e4567`.
fn is_number(value: &str) -> bool {
    let bytes = value.strip_prefix('-').unwrap_or(value).as_bytes();
    let count = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = count(bytes);
    let is_integer = (1..=LONGEST_INTEGER).contains(&whole) && (whole == 1 || bytes[0] != b'0');
    let fraction = match &bytes[whole..] {
        [b'.', fraction @ ..] => 1 + count(fraction),
        _ => 0,
    };
    let exponent = match &bytes[whole + fraction..] {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] if (1..=2).contains(&count(exponent)) => 2 + count(exponent),
        _ => 0,
    };
    is_integer && fraction != 1 && whole + fraction + exponent == bytes.len() && bytes.len() <= LONGEST_NUMBER
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Parsed<'_>> {
        super::read(text, &TimeRule::default())
    }

    fn text(name: &'static str, value: &'static str) -> Field<'static> {
        (name.into(), Value::Text(value.into()))
    }

    fn json(name: &'static str, value: &'static str) -> Field<'static> {
        (name.into(), Value::Json(value.into()))
    }

    #[test]
    fn lines_of_loggers() {
        let parsed = read("time=\"2026-11-24T09:58:45Z\" level=info msg=\"Listening on :8080 \\\"a\\\"\" n=-1.50 took=1.5e-05 tls ok=false id=12e4567 empty= quoted=\"5\"\r").unwrap();
        assert_eq!(
            (parsed.time, parsed.message.as_deref()),
            (Some(1_795_514_325_000_000_000), Some("Listening on :8080 \"a\""))
        );
        assert_eq!(
            parsed.fields,
            [
                text("level", "info"),
                json("n", "-1.50"),
                json("took", "1.5e-05"),
                json("tls", "true"),
                json("ok", "false"),
                text("id", "12e4567"),
                text("empty", ""),
                text("quoted", "5"),
            ]
        );
        assert_eq!(
            read("a=b=c url=http://x/?y=\"z\"").unwrap().fields,
            [text("a", "b=c"), text("url", "http://x/?y=\"z\"")]
        );
    }

    #[test]
    fn escapes() {
        for (written, plain) in [
            (r"\n\t\r\\\/\'\b\f\a\v", "\n\t\r\\/'\u{8}\u{c}\u{7}\u{b}"),
            (r"\u00fc\xc3\xbc\U0001F600\ud83d\ude00", "üü😀😀"),
            (r"\ud83d \ud83dé \xff \q \u12 \é", "\u{fffd} \u{fffd}é \u{fffd} \\q \\u12 \\é"),
        ] {
            let line = format!("a=\"{written}\" b=c");
            let parsed = read(&line).unwrap().fields;
            assert_eq!(parsed, [("a".into(), Value::Text(plain.into())), text("b", "c")]);
        }
    }

    #[test]
    fn what_is_prose_or_broken_does_not_parse() {
        for line in [
            "",
            "  ",
            "hello world",
            "=a",
            "a=b =c",
            "a=\"b",
            "a=\"b\\",
            "a=\"b\"c=d",
            "\"a\"=b",
            "a\"b=c d=e",
            "{\"a\":\"b=c\"}",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn numbers() {
        for number in ["0", "-0", "5", "0.5", "123456789012345678", "1e+06", "-1.25E-07"] {
            assert!(is_number(number), "{number}");
            assert!(serde_json::from_str::<f64>(number).unwrap().is_finite());
        }
        for other in [
            "",
            "-",
            "00",
            "01",
            "1.",
            ".5",
            "1e5",
            "1e+",
            "1e+999",
            "+1",
            "0x1f",
            "1_000",
            "1234567890123456789",
            "1.5ms",
            "NaN",
            "--1",
        ] {
            assert!(!is_number(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(proptest::collection::vec(any::<char>(), 0..12), 1..8)) {
            let values: Vec<String> = values.into_iter().map(|value| value.into_iter().collect()).collect();
            let line: Vec<String> = values.iter().enumerate()
                .map(|(nth, value)| format!("k{nth}={}", serde_json::to_string(value).unwrap())).collect();
            let line = line.join(" ");
            let parsed = read(&line).unwrap();
            prop_assert_eq!(parsed.fields.len(), values.len());
            for ((_, found), value) in parsed.fields.into_iter().zip(values) {
                prop_assert_eq!(found, Value::Text(value.into()));
            }
        }

        #[test]
        fn numbers_are_json(text in "-?[0-9]{0,4}(\\.[0-9]{0,4})?([eE][+-]?[0-9]{0,3})?") {
            prop_assert!(!is_number(&text) || serde_json::from_str::<f64>(&text).is_ok());
        }

        #[test]
        fn nothing_panics(text in "[a=\" \\\\xuU0-9é]{0,60}") {
            let _ = read(&text);
        }
    }
}
