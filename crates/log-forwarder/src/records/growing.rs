//! A batch that grows: lines are read as they come and wait in memory, because their file may be
//! truncated or deleted at any moment.

use std::{collections::BTreeMap, time::Instant};

use super::{batch::Batch, complete::MOST_LINES, span::Span};
use crate::format::amount::Amount;

/// A batch that grows, with one span of each file
#[derive(Debug, Default)]
pub(crate) struct Growing {
    spans: Vec<Span>,
    length: usize,
    /// Lines of all spans but the first, because thousands of files can have a short one each
    further_lines: usize,
    /// The spans by the keys of their files
    places: BTreeMap<u64, usize>,
    /// Since when the oldest of its lines wait
    since: Option<Instant>,
    /// More lines of a file are there than a span takes, or its next record is longer than the room
    /// that is left.
    is_full: bool,
}

impl Growing {
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether it has as many lines as outputs write at once.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full || self.further_lines >= MOST_LINES
    }

    pub(crate) fn fill(&mut self) {
        self.is_full = true;
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Bytes of all spans
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn amount(&self) -> Amount {
        self.spans.iter().map(Span::amount).fold(Amount::default(), std::ops::Add::add)
    }

    pub(crate) fn first(&self) -> Option<&Span> {
        self.spans.first()
    }

    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Lines wait at least since then, if it has some.
    pub(crate) fn waits_since(&mut self, since: Option<Instant>) {
        if !self.is_empty() {
            self.since = self.since.into_iter().chain(since).min();
        }
    }

    /// The span of a file
    pub(crate) fn of_file(&self, key: u64) -> Option<&Span> {
        self.places.get(&key).map(|place| &self.spans[*place])
    }

    /// Takes the first span of a file.
    pub(crate) fn push(&mut self, span: Span) {
        self.count(&span, self.spans.len());
        self.places.insert(span.key, self.spans.len());
        self.spans.push(span);
    }

    /// Takes lines that follow the span of their file. False if they cannot stand in it.
    pub(crate) fn append(&mut self, next: &Span) -> bool {
        let Some(place) = self.places.get(&next.key).copied() else { return false };
        let fits = self.spans[place].append(next);
        if fits {
            self.count(next, place);
        }
        fits
    }

    fn count(&mut self, lines: &Span, place: usize) {
        self.length += lines.bytes().len();
        if place > 0 {
            self.further_lines += lines.newlines();
        }
    }

    /// The batch, which begins again; `None` if it is empty.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        Batch::of(std::mem::take(self).spans)
    }
}
