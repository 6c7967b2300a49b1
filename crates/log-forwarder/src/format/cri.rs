//! The files of container runtimes: `2016-10-06T00:17:09.669794202Z stdout P content` (Kubernetes, CRI log format).
//!
//! A line is one write of the app's, or, with the tag `P`, a part of it that goes on in the next line of the same stream, up to
//! one with `F`. Lines of the other stream may stand between.

use std::{borrow::Cow, ops::Range};

use memchr::memchr;

use super::{
    amount::Amount,
    extent::{Extent, line},
    record::{Parsed, Value},
    time,
};

/// One line, taken apart
struct Line<'a> {
    time: &'a [u8],
    stream: Stream,
    is_partial: bool,
    content: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl<'a> Line<'a> {
    /// Nothing if it is not in this format.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let after_time = memchr(b' ', bytes)?;
        let (stream, rest) = match bytes.get(after_time + 1..)? {
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
            [] | [b'\n'] => bytes.len() - rest.len(),
            [b' ', ..] => bytes.len() - rest.len() + 1,
            [b':', ..] => bytes.len() - rest.len() + 1 + memchr(b' ', rest)?,
            _ => return None,
        };
        let end = bytes.len() - usize::from(bytes.last() == Some(&b'\n'));
        Some(Self { time: &bytes[..after_time], stream, is_partial, content: begin.min(end)..end })
    }

    /// A later line, if it is of the same stream
    fn part<'b>(&self, line: &'b [u8]) -> Option<Line<'b>> {
        Line::of(line).filter(|part| part.stream == self.stream)
    }
}

/// Of whole lines, how many bytes stand before the first of which the rest is still to come.
pub(super) fn extent(bytes: &[u8]) -> usize {
    let (mut complete, mut pending) = (0, [false; 2]);
    for line in lines(bytes) {
        if let Some(line) = Line::of(&bytes[line.clone()]) {
            pending[line.stream as usize] = line.is_partial;
        }
        if pending == [false; 2] {
            complete = line.end;
        }
    }
    complete
}

/// Finds where records are, in the order of their first lines
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Where the last record of each stream ends
    ends: [usize; 2],
}

impl Split {
    /// The first record that begins there or later, and where to look for the next one
    pub(super) fn next(&mut self, bytes: &[u8], from: usize) -> Option<(Extent, usize)> {
        for line in lines_from(bytes, from) {
            let (next, is_apart) = (line.end, self.ends.iter().all(|end| *end <= line.start));
            let Some(found) = Line::of(&bytes[line.clone()]) else {
                return Some((Extent { is_apart, ..Extent::apart(line, 1) }, next));
            };
            let end = &mut self.ends[found.stream as usize];
            // What belongs to an earlier record of its stream begins none.
            if line.start >= *end {
                let extent = Extent { is_apart, ..record(bytes, line, &found) };
                *end = extent.range.end;
                return Some((extent, next));
            }
        }
        None
    }
}

/// The record with this first line
fn record(bytes: &[u8], first_line: Range<usize>, first: &Line<'_>) -> Extent {
    let mut extent = Extent::apart(first_line, 1);
    if !first.is_partial {
        return extent;
    }
    for line in lines_from(bytes, extent.range.end) {
        let Some(part) = first.part(&bytes[line.clone()]) else { continue };
        extent.range.end = line.end;
        extent.amount = extent.amount + Amount { bytes: line.len() as u64, lines: 1 };
        if !part.is_partial {
            break;
        }
    }
    extent
}

/// Joins the parts of the first line's stream; all others are records of their own.
pub(super) fn read(text: &str) -> Option<Parsed<'_>> {
    let mut lines = lines(text.as_bytes());
    let first_line = lines.next()?;
    let first = Line::of(&text.as_bytes()[first_line])?;
    let time = time::parse(str::from_utf8(first.time).ok()?)?;
    let mut message = Cow::Borrowed(&text[first.content.clone()]);
    if first.is_partial {
        for line in lines {
            let start = line.start;
            let Some(part) = first.part(&text.as_bytes()[line]) else { continue };
            message.to_mut().push_str(&text[start + part.content.start..start + part.content.end]);
            if !part.is_partial {
                break;
            }
        }
    }
    let stream = if first.stream == Stream::Stdout { "stdout" } else { "stderr" };
    Some(Parsed {
        time: Some(time),
        message: Some(message),
        fields: vec![("stream".into(), Value::Text(stream.into()))],
    })
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    lines_from(bytes, 0)
}

/// Each line with its newline, the last one perhaps without
fn lines_from(bytes: &[u8], mut from: usize) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        let line = line(bytes, from)?;
        from = line.end;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALTERNATING: &str = "\
2026-11-24T09:58:45.000000001Z stdout P one \n\
2026-11-24T09:58:45.000000002Z stderr F whole\n\
2026-11-24T09:58:45.000000003Z stderr P err\n\
2026-11-24T09:58:45.000000004Z stdout P and \n\
no such line\n\
2026-11-24T09:58:45.000000005Z stdout F two\n\
2026-11-24T09:58:45.000000006Z stderr F or\n\
2026-11-24T09:58:45.000000007Z stdout F:tag \n";

    fn records(text: &str) -> Vec<(usize, Option<Parsed<'_>>)> {
        let (mut split, mut from, mut found) = (Split::default(), 0, Vec::new());
        while let Some((record, next)) = split.next(text.as_bytes(), from) {
            found.push((record.range.start, read(text[record.range].trim_end_matches('\n'))));
            from = next;
        }
        found
    }

    #[test]
    fn parts_are_joined_whatever_stands_between() {
        let found = records(ALTERNATING);
        let shown: Vec<_> = found
            .iter()
            .map(|(_, parsed)| {
                let parsed = parsed.as_ref()?;
                let Value::Text(stream) = &parsed.fields[0].1 else { return None };
                Some((parsed.time? - 1_795_514_325_000_000_000, &**stream, parsed.message.as_deref()?))
            })
            .collect();
        assert_eq!(
            shown,
            [
                Some((1, "stdout", "one and two")),
                Some((2, "stderr", "whole")),
                Some((3, "stderr", "error")),
                None,
                Some((7, "stdout", "")),
            ]
        );
        let lines: Vec<usize> = lines(ALTERNATING.as_bytes()).map(|line| line.start).collect();
        assert_eq!(
            found.iter().map(|(start, _)| *start).collect::<Vec<_>>(),
            [lines[0], lines[1], lines[2], lines[4], lines[7]]
        );
    }

    #[test]
    fn nothing_ends_within_a_record() {
        let complete: Vec<usize> = lines(ALTERNATING.as_bytes())
            .map(|line| extent(&ALTERNATING.as_bytes()[..line.end]))
            .enumerate()
            .filter(|(_, extent)| *extent > 0)
            .map(|(nth, _)| nth)
            .collect();
        assert_eq!(complete, [6, 7]);
        assert_eq!(extent(ALTERNATING.as_bytes()), ALTERNATING.len());
    }

    #[test]
    fn what_never_ends_is_taken_as_it_is() {
        let text = "2026-11-24T09:58:45Z stdout P a\n2026-11-24T09:58:45Z stdout P b\n";
        let found = records(text);
        assert_eq!((found.len(), found[0].1.as_ref().unwrap().message.as_deref()), (1, Some("ab")));
        assert_eq!(extent(text.as_bytes()), 0);
    }

    #[test]
    fn an_empty_line_and_what_is_none() {
        assert_eq!(read("2026-11-24T09:58:45Z stdout F").unwrap().message.as_deref(), Some(""));
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
