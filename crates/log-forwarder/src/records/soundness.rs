//! A property of redaction with any lines: for tests and fuzzing.

use std::{path::Path, sync::Arc};

use super::{
    pool::Pool,
    span::{Mark, Source, Span},
    treatment::Treatment,
};
use crate::{
    filters::{Redaction, Rules},
    format::{Format, record::Value},
};

const SECRET: &str = "secret";

/// However these whole lines are read, the secret is in no record and in no raw line.
pub(crate) fn assert_hidden(format: Format, lines: &[u8]) {
    let redaction = redaction(&format);
    let treatment = Treatment { format, redaction, ..Treatment::default() };
    let source = Source { path: Path::new("/logs/app.log").into(), generation: "".into(), treatment: treatment.into() };
    let mut buffer = Pool::default().empty(lines.len());
    buffer.extend_from_slice(lines);
    let span = Span::new((Arc::new(source), 1), Mark::Whole, 0, buffer, 0..lines.len());
    span.records(|record| {
        assert!(!record.message.contains(SECRET), "{record:?}");
        for (_, value) in &record.fields {
            let has_secret = match value {
                Value::Text(text) => text.contains(SECRET),
                Value::Json(json) => {
                    serde_json::from_str(json).is_ok_and(|value: serde_json::Value| value.to_string().contains(SECRET))
                }
            };
            assert!(!has_secret, "{record:?}");
        }
    });
    assert!(!String::from_utf8_lossy(&span.lines()).contains(SECRET));
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

    proptest! {
        #[test]
        fn a_secret_is_hidden_in_every_format(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "secret", "sec", "ret", "\\u0073ecret", "\\x73ecret", "s\\\\u0065cret", "\"", "\\", "\\\"", ":", ",", "{", "}", "[", "]",
                "=", " ", "1", "{\"a\":\"", "{\"log\":\"", "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}", "\\n", "\n", "a=\"",
                "2026-11-24T09:58:45Z stdout F ", "2026-11-24T09:58:45Z stdout P ", "2026-11-24T09:58:45Z stderr P ",
                "1.2.3.4 - - [24/Nov/2026:10:58:45 +0100] \"", "\u{e9}",
            ]), 0..14),
            nth in 0..8_usize,
        ) {
            let formats = ["raw", "json", "logfmt", "nginx", "cri", "docker", "cri,json", "docker,json"];
            let format = formats[nth].parse().unwrap();
            let format = FormatFlags::default().format(Some(&format), None, None, &TimeFlags::default()).unwrap();
            assert_hidden(format, (words.concat() + "\n").as_bytes());
        }
    }
}
