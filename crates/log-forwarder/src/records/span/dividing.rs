//! Parts of a span: halves, and records that are selected.

use super::Span;

impl Span {
    /// Two spans of about as many records, in order; `None` if this is a single one. Where lines of all records alternate, both
    /// have the whole range.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let extents: Vec<_> = self.extents().collect();
        let half = extents.len() / 2;
        if half == 0 {
            return None;
        }
        let is_apart = |number: &usize| extents[*number].is_apart;
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

    /// The same range, of which these records are still to be sent. They are counted as [`Span::records`] visits them.
    pub(crate) fn select(&self, numbers: &[usize]) -> Self {
        let number = |visited: &usize| self.selection.as_ref().map_or(Some(*visited), |all| all.get(*visited).copied());
        let selection = numbers.iter().filter_map(number).collect();
        Self { selection: Some(selection), ..self.part(self.range.clone()) }
    }

    /// A single record, counted as [`Span::records`] visits them
    pub(crate) fn only(&self, visited: usize) -> Option<Self> {
        let extent = self.extents().nth(visited)?;
        let range = self.range.start + extent.range.start..self.range.start + extent.range.end;
        let is_shared = extent.amount.bytes < range.len() as u64;
        Some(Self { selection: is_shared.then(|| [0].into()), ..self.part(range) })
    }
}
