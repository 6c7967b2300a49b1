//! Lines that were rotated away in the middle: the end of a file, and the first lines of those that were written next.

use super::Follower;
use crate::{
    files::{
        known::{Key, KnownFile, OutputId},
        reading::{Bounds, Read, Reading, read_lines},
    },
    records::span::{Mark, Span},
};

/// The first lines of the next file
struct Begun {
    lines: Span,
    /// Further lines of the same record can only be in later files.
    is_all: bool,
    /// Further lines may come.
    may_grow: bool,
}

impl Follower {
    /// A span with the first lines of the next files, which complete its records, if a line was rotated away in the middle at its
    /// end. Nothing while those lines may still come.
    pub(super) fn completed(&self, span: Span, output: OutputId) -> Option<Span> {
        let Some(file) = self.set.get(span.key).filter(|file| ends_within_record(file, &span)) else {
            return Some(span);
        };
        let (format, mut place) = (&file.source.treatment.format, file.place(span.key));
        let (mut rest, mut text) = (Vec::new(), Vec::new());
        loop {
            let later = self.set.of_path(file.path()).filter(|(key, next)| next.place(*key) > place);
            let Some((key, next)) = later.min_by_key(|(key, next)| next.place(*key)) else { break };
            place = next.place(key);
            if next.is_awaited() && next.cursors[output.0].position == 0 {
                return None;
            }
            let Some(Begun { lines, is_all, may_grow }) = self.first_lines(key, next, output) else { break };
            if lines.mark != Mark::Whole {
                break;
            }
            let before = text.len();
            text.extend_from_slice(lines.bytes());
            if let Some(length) = format.completion(span.bytes(), &text) {
                rest.extend(lines.first(length - before));
                break;
            }
            if span.bytes().len() + text.len() > self.bounds.line {
                return Some(span);
            }
            if may_grow {
                return None;
            }
            rest.push(lines);
            if !is_all {
                break;
            }
        }
        let whole = span.bytes().len() + rest.iter().map(|lines| lines.bytes().len()).sum::<usize>();
        let is_joined = !rest.is_empty() && whole <= self.bounds.line;
        Some(if is_joined { span.completed(rest, self.pool.empty(whole)) } else { span })
    }

    /// The first lines of a file of which an output has nothing yet
    fn first_lines(&self, key: Key, next: &KnownFile, output: OutputId) -> Option<Begun> {
        let cursor = &next.cursors[output.0];
        if cursor.position > 0 || !cursor.is_idle() || cursor.is_closed || cursor.has_failed {
            return None;
        }
        let bounds = Bounds { batch: self.bounds.line, ..self.bounds };
        let Read { reading, size } = read_lines(next, key, cursor, bounds, &self.pool).ok()?;
        let Reading::Span(lines) = reading else { return None };
        let is_still = size == next.seen && (next.ended || next.is_quiet);
        let is_all = is_still && next.ended && next.has_successor() && lines.end() == size;
        Some(Begun { lines, is_all, may_grow: !is_still })
    }
}

/// Whether a span is the end of a rotated file, and the records that begin there have no end in it.
fn ends_within_record(file: &KnownFile, span: &Span) -> bool {
    let is_end = file.ended && file.has_successor() && span.mark == Mark::Whole && span.end() == file.seen;
    let format = &file.source.treatment.format;
    is_end && format.has_parts() && format.extent(span.bytes()) == 0
}
