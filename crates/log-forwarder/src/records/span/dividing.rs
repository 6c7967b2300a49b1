//! Parts of a span: halves, and records that are selected.

use std::{ops::Range, sync::Arc};

use super::{Source, Span};
use crate::format::{Extent, amount::newlines};

impl Span {
    /// Two spans of about as many records, in order; `None` if this is a single one. Where lines of
    /// all records alternate, both have the whole range; also where the lines are of several files,
    /// because each record keeps the name that it has in the whole.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let extents: Vec<_> = self.extents().collect();
        let half = extents.len() / 2;
        if half == 0 {
            return None;
        }
        let is_apart = |number: &usize| self.rest.is_none() && extents[*number].is_apart;
        let Some(middle) = (1..extents.len()).filter(is_apart).min_by_key(|number| number.abs_diff(half)) else {
            let all: Vec<_> = (0..extents.len()).collect();
            return Some((Self { goes_on: true, ..self.select(&all[..half]) }, self.select(&all[half..])));
        };
        let start = extents[middle].range.start;
        let split = self.range.start + start;
        let (mut before, mut after) = (self.selection.clone(), self.selection.clone());
        if let Some(selection) = &self.selection {
            let skipped = self.all_extents().take_while(|extent| extent.range.start < start).count();
            before = Some(selection[..middle].into());
            after = Some(selection[middle..].iter().map(|number| number - skipped).collect());
        }
        let first = Self { selection: before, ..self.part(self.range.start..split) };
        let second = Self { selection: after, ..self.part(split..self.range.end) };
        Some((first, second))
    }

    /// The same range, of which these records are still to be sent. They are counted as
    /// [`Span::records`] visits them.
    pub(crate) fn select(&self, numbers: &[usize]) -> Self {
        let number = |visited: &usize| self.selection.as_ref().map_or(Some(*visited), |all| all.get(*visited).copied());
        let selection = numbers.iter().filter_map(number).collect();
        Self { selection: Some(selection), ..self.part(self.range.clone()) }
    }

    /// Single records, by their numbers in order, counted as [`Span::records`] visits them
    pub(crate) fn singles(&self, visited: &[usize]) -> Vec<Self> {
        let mut wanted = visited.iter().peekable();
        let extents = self.extents().enumerate();
        extents
            .filter(|(number, _)| wanted.next_if_eq(&number).is_some())
            .map(|(_, extent)| self.single(&extent))
            .collect()
    }

    fn single(&self, extent: &Extent) -> Self {
        let range = self.range.start + extent.range.start..self.range.start + extent.range.end;
        let is_shared = extent.amount.bytes < range.len() as u64;
        Self { selection: is_shared.then(|| [0].into()), ..self.part(range) }
    }

    /// A single record
    #[cfg(test)]
    pub(crate) fn only(&self, visited: usize) -> Option<Self> {
        self.singles(&[visited]).pop()
    }

    /// Some of its lines; their place is in the file in which they begin.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let offset = self.offset + (range.start - self.range.start) as u64;
        let newlines = if range == self.range { self.newlines } else { newlines(&self.buffer[range.clone()]) };
        let part = Self { range: range.clone(), newlines, offset, rest: None, tally: Arc::default(), ..self.clone() };
        let Some(rest) = &self.rest else { return part };
        let own_end = self.range.start + self.own_bytes().len();
        let mut begin = own_end;
        let mut lines_of_rest = Vec::new();
        for lines in rest.iter() {
            let end = begin + lines.range.len();
            let (from, to) = (range.start.clamp(begin, end), range.end.clamp(begin, end));
            if from < to {
                let first = lines.range.start;
                lines_of_rest.push(lines.part(first + from - begin..first + to - begin));
            }
            begin = end;
        }
        let first = (range.start >= own_end && !lines_of_rest.is_empty()).then(|| lines_of_rest.remove(0));
        let rest = (!lines_of_rest.is_empty()).then(|| lines_of_rest.into());
        let Some(Self { source, offset, read_from, key, .. }) = first else { return Self { rest, ..part } };
        // A change of the configuration has treated the whole span, and not the lines of each file.
        let (path, generation) = (source.path.clone(), source.generation.clone());
        let source = Source { path, generation, treatment: self.source.treatment.clone() }.into();
        Self { source, offset, read_from, key, rest, ..part }
    }
}
