//! Spans that grow: by the lines that follow in their file, or by those that complete their records in the next ones.

use std::sync::Arc;

use super::{Mark, Span};
use crate::records::pool::Buffer;

impl Span {
    /// With the first lines of the next files, which complete its records. Such a span is never cut in two, because each of its
    /// records but the last goes on behind the beginning of the next.
    pub(crate) fn completed(&self, rest: Vec<Self>, mut buffer: Buffer) -> Self {
        buffer.extend_from_slice(self.bytes());
        for lines in &rest {
            buffer.extend_from_slice(lines.bytes());
        }
        let range = 0..buffer.len();
        let newlines = self.newlines + rest.iter().map(Self::newlines).sum::<usize>();
        Self { buffer: buffer.into(), range, newlines, rest: Some(rest.into()), is_sealed: true, ..self.clone() }
    }

    /// Its first bytes, which are whole lines; nothing without any
    pub(crate) fn first(&self, length: usize) -> Option<Self> {
        (length > 0).then(|| self.part(self.range.start..self.range.start + length))
    }

    /// Takes the lines that follow in its file. False if they cannot stand in one span.
    pub(crate) fn append(&mut self, next: &Self) -> bool {
        let is_next = next.offset == self.end() && next.mark == Mark::Whole && Arc::ptr_eq(&self.source, &next.source);
        let Some(buffer) = Arc::get_mut(&mut self.buffer).filter(|_| is_next && !self.is_sealed) else { return false };
        buffer.truncate(self.range.end);
        buffer.extend_from_slice(next.bytes());
        (self.range.end, self.is_sealed) = (buffer.len(), next.is_sealed);
        self.newlines += next.newlines;
        true
    }
}
