//! A batch: the spans of lines that an output gets at once, of one file or of several. A refused
//! batch is halved by spans, and then by lines.

use std::{hash::Hasher, ops::Add};

use super::span::Span;
use crate::format::amount::{Amount, Tally};
use fnv::FnvHasher;

/// Spans of lines, no two of which overlap; cheap to clone, and never empty
#[derive(Clone, Debug)]
pub(crate) struct Batch(Vec<Span>);

/// A batch without the records that filters drop
#[derive(Debug)]
pub(crate) struct Sifted {
    /// The records that are to be sent
    pub(crate) rest: Option<Batch>,
    /// Spans of which nothing is left
    pub(crate) empty: Vec<Span>,
    pub(crate) dropped: Amount,
}

impl From<Span> for Batch {
    fn from(span: Span) -> Self {
        Self(vec![span])
    }
}

impl Batch {
    /// `None` if there are no spans.
    pub(crate) fn of(spans: Vec<Span>) -> Option<Self> {
        (!spans.is_empty()).then_some(Self(spans))
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Takes out the records that filters drop.
    pub(crate) fn sifted(self) -> Sifted {
        let mut sifted = Sifted { rest: None, empty: Vec::new(), dropped: Amount::default() };
        let mut rest = Vec::with_capacity(self.0.len());
        for span in self.0 {
            let Some(kept) = span.kept() else {
                rest.push(span);
                continue;
            };
            let kept = span.select(&kept);
            sifted.dropped = sifted.dropped + (span.amount() - kept.amount());
            if kept.count() > 0 { rest.push(kept) } else { sifted.empty.push(span) }
        }
        Sifted { rest: Self::of(rest), ..sifted }
    }

    /// The same spans, each read in the way that is found for it.
    pub(crate) fn map(&self, span: impl FnMut(&Span) -> Span) -> Self {
        Self(self.0.iter().map(span).collect())
    }

    /// Bytes of all spans
    pub(crate) fn length(&self) -> usize {
        self.0.iter().map(|span| span.bytes().len()).sum()
    }

    /// A name that these bytes have at each attempt, and no others
    pub(crate) fn name(&self) -> String {
        let [first, rest @ ..] = &self.0[..] else { return String::new() };
        if rest.is_empty() {
            return first.name();
        }
        let mut hasher = FnvHasher::default();
        for span in rest {
            hasher.write(span.name().as_bytes());
        }
        format!("{}-{}-{:016x}", first.name(), self.0.len(), hasher.finish())
    }

    /// The records that are still to be sent
    pub(crate) fn amount(&self) -> Amount {
        self.0.iter().map(Span::amount).fold(Amount::default(), Amount::add)
    }

    /// Defects that were found when the records were last visited
    pub(crate) fn tally(&self) -> Tally {
        self.0.iter().map(Span::tally).fold(Tally::default(), Add::add)
    }

    /// Visits the records, and returns the defects that are found.
    pub(crate) fn visited(&self) -> Tally {
        self.0.iter().for_each(|span| span.records(|_| {}));
        self.tally()
    }

    /// How many records are still to be sent
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(Span::count).sum()
    }

    /// Whether more records than these are still to be sent; a single one never is more.
    pub(crate) fn exceeds(&self, records: usize) -> bool {
        // No record is less than a line, and lines are counted already.
        let lines: usize = self.0.iter().map(Span::newlines).sum();
        lines > records && self.count() > records.max(1)
    }

    /// Two batches of about as many bytes, or of one span about as many records; `None` if this is
    /// a single record.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        if let [span] = &self.0[..] {
            return span.halves().map(|(first, second)| (first.into(), second.into()));
        }
        let half = self.length() / 2;
        let mut length = 0;
        let is_in_first = |span: &&Span| {
            length += span.bytes().len();
            length <= half
        };
        let middle = self.0.iter().take_while(is_in_first).count().clamp(1, self.0.len() - 1);
        let (first, second) = self.0.split_at(middle);
        Some((Self(first.to_vec()), Self(second.to_vec())))
    }

    /// Divides the batch after an answer that asks for some records again, by their numbers in
    /// order: the spans that are done, and the records to send again. Numbers count records over
    /// all spans as [`Span::records`] visits them.
    pub(crate) fn parted(&self, again: &[usize]) -> (Vec<Span>, Option<Self>) {
        let (mut done, mut rest, mut first, mut again) = (Vec::new(), Vec::new(), 0, again);
        for span in &self.0 {
            let end = first + span.count();
            let (of_this, later) = again.split_at(again.partition_point(|number| *number < end));
            if of_this.is_empty() {
                done.push(span.clone());
            } else {
                rest.push(span.select(&of_this.iter().map(|number| number - first).collect::<Vec<_>>()));
            }
            (first, again) = (end, later);
        }
        (done, Self::of(rest))
    }

    /// Single records, by their numbers in order, counted over all spans. Each span is divided into
    /// records once, because that takes time for a request of thousands.
    pub(crate) fn singles(&self, numbers: &[usize]) -> Vec<Span> {
        let (mut first, mut numbers, mut singles) = (0, numbers, Vec::with_capacity(numbers.len()));
        for span in &self.0 {
            let end = first + span.count();
            let (of_this, later) = numbers.split_at(numbers.partition_point(|number| *number < end));
            singles.extend(span.singles(&of_this.iter().map(|number| number - first).collect::<Vec<_>>()));
            (first, numbers) = (end, later);
        }
        singles
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::span::{Mark, of};

    fn messages<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<String> {
        let mut found = Vec::new();
        for span in spans {
            span.records(|record| found.push(record.message.to_string()));
        }
        found
    }

    proptest! {
        #[test]
        fn halves_and_parts_are_the_whole(
            lines in proptest::collection::vec(proptest::collection::vec(("[a-z]{0,9}", any::<bool>()), 1..9), 1..6),
        ) {
            let text = |lines: &Vec<(String, bool)>| lines.iter().fold(String::new(), |text, (line, _)| text + line + "\n");
            let mut spans: Vec<Span> = lines.iter().map(|lines| of(text(lines).as_bytes(), Mark::Whole)).collect();
            // No two spans have the same place.
            (0..).zip(&mut spans).for_each(|(nth, span)| span.offset = nth * 1000);
            let batch = Batch::of(spans).unwrap();
            let all = messages(batch.spans());
            let numbers: Vec<_> = (0..all.len()).collect();
            prop_assert_eq!(&messages(&batch.singles(&numbers)), &all);
            prop_assert!(batch.singles(&[all.len()]).is_empty());
            prop_assert!(batch.exceeds(all.len() - 1) == (all.len() > 1) && !batch.exceeds(all.len()));
            if let Some((first, second)) = batch.halves() {
                prop_assert_eq!([messages(first.spans()), messages(second.spans())].concat(), all.clone());
                prop_assert_eq!(first.amount() + second.amount(), batch.amount());
                prop_assert!(first.name() != batch.name() && second.name() != first.name());
            } else {
                prop_assert_eq!(all.len(), 1);
            }
            let is_again: Vec<bool> = lines.iter().flatten().map(|(_, again)| *again).collect();
            let again: Vec<usize> = (0..all.len()).filter(|number| is_again[*number]).collect();
            let (done, rest) = batch.parted(&again);
            let expected: Vec<_> = again.iter().map(|number| all[*number].clone()).collect();
            prop_assert_eq!(messages(&batch.singles(&again)), expected.clone());
            prop_assert_eq!(messages(rest.iter().flat_map(Batch::spans)), expected);
            prop_assert_eq!(done.len() + rest.map_or(0, |rest| rest.spans().len()), lines.len());
        }
    }
}
