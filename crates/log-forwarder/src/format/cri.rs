//! The files of container runtimes: `2016-10-06T00:17:09.669794202Z stdout P content` (Kubernetes,
//! CRI log format).
//!
//! A line is one write of the app's, or, with the tag `P`, a part of it that goes on in the next
//! line of the same stream, up to one with `F`.

use std::{borrow::Cow, ops::Range};

use memchr::{memchr, memchr_iter};

use super::{
    record::{Value, Wrapped},
    syntax::{Part, Stream, Syntax},
    time,
};

pub(super) const SYNTAX: Syntax = Syntax { part, time_place };

fn time_place(line: &[u8]) -> Option<Range<usize>> {
    Some(0..memchr(b' ', line)?)
}

/// A line, if it is in this format
pub(super) fn part(line: &[u8]) -> Option<Part> {
    let after_time = memchr(b' ', line)?;
    let (stream, rest) = match line.get(after_time + 1..)? {
        [b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (Stream::Stdout, rest),
        [b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (Stream::Stderr, rest),
        _ => return None,
    };
    // Tags are separated by colons, and the first one is known.
    let (is_partial, rest) = match rest {
        [b'P', rest @ ..] => (true, rest),
        [b'F', rest @ ..] => (false, rest),
        _ => return None,
    };
    let begin = match rest {
        [] | [b'\n'] => line.len() - rest.len(),
        [b' ', ..] => line.len() - rest.len() + 1,
        [b':', ..] => line.len() - rest.len() + 1 + memchr(b' ', rest)?,
        _ => return None,
    };
    let end = line.len() - usize::from(line.last() == Some(&b'\n'));
    Some(Part { stream, is_partial, content: begin.min(end)..end })
}

/// Reads a record, whose parts are joined.
pub(super) fn read(text: &str) -> Option<Wrapped<'_>> {
    let Part { stream, content, .. } = part(text.as_bytes())?;
    let (time, _) = text.split_once(' ')?;
    let stream = if stream == Stream::Stdout { "stdout" } else { "stderr" };
    Some(Wrapped {
        time: Some(time::parse(time)?),
        text: text[content].into(),
        fields: vec![("stream".into(), Value::Text(stream.into()))],
    })
}

/// A line that several were joined to, as lines that are whole: its tag says that it does not go
/// on, and each line of its text has the words around it.
pub(super) fn whole(line: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let Some(Part { content, .. }) = part(&line) else { return line };
    let mut head = line[..content.start].to_vec();
    // The tag stands behind the second space.
    if let Some(tag) = memchr_iter(b' ', &line).nth(1).and_then(|space| head.get_mut(space + 1)) {
        *tag = b'F';
    }
    let lines: Vec<_> = line[content].split(|byte| *byte == b'\n').map(|text| [&head, text].concat()).collect();
    lines.join(&b'\n').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_time_a_stream_and_a_content() {
        for (line, message) in [
            ("2026-11-24T09:58:45Z stdout F", ""),
            ("2026-11-24T09:58:45Z stdout F ", ""),
            ("2026-11-24T09:58:45Z stdout F a b ", "a b "),
            ("2026-11-24T09:58:45Z stdout P:tag é", "é"),
        ] {
            let parsed = read(line).unwrap();
            assert_eq!((parsed.time, &*parsed.text), (Some(1_795_514_325_000_000_000), message));
            assert_eq!(parsed.fields, [("stream".into(), Value::Text("stdout".into()))]);
        }
        assert_eq!(read("2026-11-24T09:58:45Z stderr F a").unwrap().fields[0].1, Value::Text("stderr".into()));
        for line in [
            "",
            "x",
            "2026-11-24T09:58:45Z",
            "2026-11-24T09:58:45Z stdout",
            "2026-11-24T09:58:45Z stdout X a",
            "2026-11-24T09:58:45Z stdin F a",
            "now stdout F a",
            "2026-11-24T09:58:45Z stdout Fa",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
