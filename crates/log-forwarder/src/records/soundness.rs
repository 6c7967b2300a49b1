//! A property of redaction with any lines: for tests and fuzzing.

use std::{path::Path, sync::Arc};

use super::{
    pool::Pool,
    span::{Mark, Source, Span},
    treatment::Treatment,
};
use crate::{
    filters::{Redaction, Rules},
    format::{Format, record::Value, unescaped},
};

const SECRET: &str = "secret";

/// However these lines are read, the secret is in no record and in no raw line, also not behind
/// escapes. Lines that are not whole are a single one that was cut.
pub(crate) fn assert_hidden(format: Format, lines: &[u8]) {
    let redaction = redaction(&format);
    let treatment = Treatment { format, redaction, ..Treatment::default() };
    let source = Source { path: Path::new("/logs/app.log").into(), generation: "".into(), treatment: treatment.into() };
    let mut buffer = Pool::default().empty(lines.len());
    buffer.extend_from_slice(lines);
    let mark = if lines.ends_with(b"\n") { Mark::Whole } else { Mark::Unfinished };
    let span = Span::new((Arc::new(source), 1), mark, 0, buffer, 0..lines.len());
    span.records(|record| {
        assert_has_none(record.text);
        assert_has_none(&record.message);
        for (name, Value::Text(value) | Value::Json(value)) in &record.fields {
            assert_has_none(name);
            assert_has_none(value);
        }
    });
    assert_has_none(&String::from_utf8_lossy(&span.lines()));
}

fn assert_has_none(text: &str) {
    let mut plain = text.to_owned();
    for _ in 0..4 {
        assert!(!plain.contains(SECRET), "{text}");
        plain = unescaped(&plain).into_owned();
    }
}

fn redaction(format: &Format) -> Redaction {
    let (redact, redact_with) = (SECRET.parse(), "*".parse());
    let rules = Rules { redact: redact.into_iter().collect(), redact_with: redact_with.ok(), ..Rules::default() };
    rules.of(format).map(|(_, redaction)| redaction).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{FormatFlags, TimeFlags};

    /// A text of JSON in which each character of the secret has an escape or not
    fn some_text() -> impl Strategy<Value = String> {
        let character = |nth: usize| {
            let plain = &SECRET[nth..=nth];
            proptest::sample::select(vec![plain.to_owned(), format!("\\u{:04x}", SECRET.as_bytes()[nth])])
        };
        let secret =
            std::array::from_fn::<_, { SECRET.len() }, _>(character).prop_map(|characters| characters.concat());
        let noise = proptest::sample::select(vec![
            "",
            "a ",
            "\\ud83d",
            "\t",
            "\\\"",
            "\\n",
            "\\\\",
            "\\/",
            "\\ud83d\\ude00",
            "{",
            ":",
            "é",
            "1",
        ]);
        let part = prop_oneof![secret, noise.prop_map(str::to_owned)];
        proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    /// An object, with objects in it and strings that are such objects
    fn some_object() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![some_text().prop_map(|text| format!("\"{text}\"")), Just("-1.5e3".to_owned())];
        let value = scalar.prop_recursive(3, 12, 3, |inner| {
            let members = proptest::collection::vec((some_text(), inner.clone()), 0..3);
            let object = (members, any::<bool>()).prop_map(|(members, is_quoted)| {
                let object = object(members);
                if is_quoted { serde_json::to_string(&object).unwrap() } else { object }
            });
            let list = proptest::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
            prop_oneof![object, list]
        });
        proptest::collection::vec((some_text(), value), 1..4).prop_map(object)
    }

    fn object(members: Vec<(String, String)>) -> String {
        let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    fn format(name: &str) -> Format {
        FormatFlags::default().format(Some(&name.parse().unwrap()), None, None, &TimeFlags::default()).unwrap()
    }

    proptest! {
        #[test]
        fn a_secret_is_hidden_in_json_that_is_torn_anywhere(
            object in some_object(),
            cut in proptest::option::of(any::<proptest::sample::Index>()),
            nth in 0..6_usize,
        ) {
            let quoted = || serde_json::to_string(&format!("{object}\n")).unwrap();
            let (name, line) = match nth {
                0 => ("json", format!("{object}\n")),
                1 => ("raw", format!("{object}\n")),
                2 => ("cri,json", format!("2026-11-24T09:58:45Z stdout F {object}\n")),
                3 => ("docker,json", format!("{{\"log\":{},\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}}\n", quoted())),
                4 => ("docker", format!("{{\"log\":\"\\n\",\"stream\":\"stdout\",\"log\":{},\"attrs\":{object}}}\n", quoted())),
                _ => ("logfmt", format!("a=\"{}\n", object.replace('"', "\\\""))),
            };
            let length = cut.map_or(line.len(), |cut| cut.index(line.len()) + 1);
            assert_hidden(format(name), &line.as_bytes()[..length]);
        }

        #[test]
        fn a_secret_is_hidden_in_every_format(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "secret", "sec", "ret", "\\u0073ecret", "\\x73ecret", "s\\\\u0065cret", "\"", "\\", "\\\"", "\t", "\\ud83d", ":", ",", "{", "}", "[", "]",
                "=", " ", "1", "{\"a\":\"", "{\"log\":\"", "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}", "\\n", "\n", "a=\"",
                "2026-11-24T09:58:45Z stdout F ", "2026-11-24T09:58:45Z stdout P ", "2026-11-24T09:58:45Z stderr P ",
                "1.2.3.4 - - [24/Nov/2026:10:58:45 +0100] \"", "\u{e9}",
            ]), 0..14),
            nth in 0..8_usize,
        ) {
            let formats = ["raw", "json", "logfmt", "nginx", "cri", "docker", "cri,json", "docker,json"];
            assert_hidden(format(formats[nth]), (words.concat() + "\n").as_bytes());
        }
    }
}
