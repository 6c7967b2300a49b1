//! The files of Docker's logging driver `json-file`:
//! `{"log":"GET /\n","stream":"stdout","time":"2026-11-24T09:58:45.5Z"}`.
//!
//! A line of the app's that is longer than 16 KiB comes in parts, of which each but the last has no
//! newline in `log`.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::{
    escapes::quoted_length,
    json,
    record::{Parsed, Wrapped},
    syntax::{Part, Stream, Syntax},
    time::TimeRule,
};

/// The beginning of each line
const HEAD: &[u8] = br#"{"log":""#;
const STREAM: &[u8] = br#""stream":"std"#;
const TIME: &[u8] = br#""time":""#;

pub(super) const SYNTAX: Syntax = Syntax { part, time_place };

fn time_place(line: &[u8]) -> Option<Range<usize>> {
    let begin = memmem::rfind(line, TIME)? + TIME.len();
    Some(begin..begin + memchr(b'"', &line[begin..])?)
}

/// A line, if it is in this format. Its content is the inside of the string `log`, with all its
/// escapes, so that contents can be joined.
pub(super) fn part(line: &[u8]) -> Option<Part> {
    let length = quoted_length(line.strip_prefix(HEAD)?)?;
    let content = HEAD.len()..HEAD.len() + length;
    let rest = &line[content.end..];
    let stream = match &rest[memmem::find(rest, STREAM)? + STREAM.len()..] {
        [b'o', ..] => Stream::Stdout,
        [b'e', ..] => Stream::Stderr,
        _ => return None,
    };
    Some(Part { stream, is_partial: !ends_with_newline(&line[content.clone()]), content })
}

/// Reads a record, whose parts are joined.
pub(super) fn read(text: &str) -> Option<Wrapped<'_>> {
    let Parsed { time, message, fields, .. } = json::read(text, &TimeRule::default())?;
    Some(Wrapped { time, text: message?, fields })
}

/// Whether the inside of a JSON string ends with `\n`, whose backslash is not itself escaped
fn ends_with_newline(inside: &[u8]) -> bool {
    let Some(before) = inside.strip_suffix(b"n") else { return false };
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::{super::parts, *};

    fn line(log: &str, stream: &str) -> String {
        format!(r#"{{"log":"{log}","stream":"{stream}","attrs":{{"a":"b"}},"time":"2026-11-24T09:58:45Z"}}"#) + "\n"
    }

    #[test]
    fn a_log_without_newline_is_a_part() {
        for (log, is_partial) in [
            (r"a\n", false),
            (r"\n", false),
            ("a", true),
            ("", true),
            ("n", true),
            (r"C:\\n", true),
            (r"C:\\\n", false),
            (r#"\"stream\":\"stderr\"\n"#, false),
        ] {
            let line = line(log, "stdout");
            let part = part(line.as_bytes()).unwrap();
            assert_eq!((part.stream, part.is_partial, &line[part.content]), (Stream::Stdout, is_partial, log));
        }
        for line in
            ["", "x", r#"{"log":"a"}"#, r#"{"log":"a\"#, r#"{"log":"a\n","stream":"stdin"}"#, r#"{"msg":"a\n"}"#]
        {
            assert_eq!(part(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn parts_are_joined() {
        let text = [
            line(r"one \u2028", "stdout"),
            line(r"err\n", "stderr"),
            line(r"\\and", "stdout"),
            line(r" two\n", "stdout"),
        ];
        let joined = parts::join(SYNTAX, text.concat().as_bytes()).unwrap();
        let text = String::from_utf8(joined).unwrap();
        assert_eq!(text, line(r"one \u2028\\and two\n", "stdout"));
        let parsed = read(text.trim_end()).unwrap();
        assert_eq!((parsed.time, &*parsed.text), (Some(1_795_514_325_000_000_000), "one \u{2028}\\and two"));
        assert_eq!(parsed.fields.len(), 2);
    }
}
