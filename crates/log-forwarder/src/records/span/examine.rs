//! Which records of a span are sent, and how they were read.

use super::Span;
use crate::{filters::Redaction, format::record::Record};

/// A record as `try` shows it, whether it is sent or not
pub(crate) struct Found<'a> {
    /// Where it begins in the bytes of the span
    pub(crate) at: usize,
    /// Its line, as it would leave the pod
    pub(crate) line: &'a str,
    pub(crate) record: Record<'a>,
    /// Its own, if it has one
    pub(crate) time: Option<i64>,
    pub(crate) is_parsed: bool,
    pub(crate) is_redacted: bool,
    pub(crate) is_kept: bool,
}

impl Span {
    /// The records that filters keep, by their numbers; nothing if filters keep all. Filters see
    /// the secrets that are hidden later.
    pub(crate) fn kept(&self) -> Option<Vec<usize>> {
        let filter = &self.source.treatment.filter;
        if filter.is_empty() {
            return None;
        }
        let (mut kept, mut count) = (Vec::new(), 0);
        self.read(&Redaction::default(), |extent, reading| {
            if filter.keeps(&self.record(extent, reading)) {
                kept.push(count);
            }
            count += 1;
        });
        (kept.len() < count).then_some(kept)
    }

    /// Visits all records, those that filters drop too.
    pub(crate) fn examine(&self, mut visit: impl FnMut(Found<'_>)) {
        let kept = self.kept();
        let mut number = 0;
        self.read(&self.source.treatment.redaction, |extent, reading| {
            let is_kept = kept.as_ref().is_none_or(|kept| kept.binary_search(&number).is_ok());
            number += 1;
            visit(Found {
                at: extent.range.start,
                line: reading.line,
                time: reading.time,
                is_parsed: reading.is_parsed,
                is_redacted: reading.is_redacted,
                is_kept,
                record: self.record(extent, reading),
            });
        });
    }
}
