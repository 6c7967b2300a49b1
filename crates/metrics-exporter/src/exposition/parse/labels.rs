//! The label sets of a text page: reading, checking and sharing them.

use bumpalo::Bump;

use crate::exposition::{
    model::Label,
    page::Bounds,
    parse::{cursor::Quoted, escapes},
};

/// Reads label sets. It reuses its memory, and the previous slice while the labels stay the same, so that all buckets of a
/// histogram share one slice.
pub(super) struct LabelReader<'a> {
    arena: &'a Bump,
    bounds: Bounds,
    labels: Vec<Label<'a>>,
    is_sorted: bool,
    last: &'a [Label<'a>],
}

/// The labels of a sample
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelSet<'a> {
    /// Sorted by name, none empty, without the one that is set aside
    pub(super) labels: &'a [Label<'a>],
    /// The value of the label that is set aside
    pub(super) aside: Option<&'a str>,
    /// True when the slice is not that of the previous sample
    pub(super) is_new: bool,
}

impl<'a> LabelReader<'a> {
    pub(super) fn new(arena: &'a Bump, bounds: &Bounds) -> Self {
        Self { arena, bounds: *bounds, labels: Vec::new(), is_sorted: true, last: &[] }
    }

    /// Begins the labels of another sample.
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.is_sorted = true;
    }

    pub(super) fn push(&mut self, name: &'a str, value: Quoted<'a>) -> Result<(), &'static str> {
        if self.labels.len() == self.bounds.labels {
            return Err("too many labels");
        }
        if name.len().max(value.raw.len()) > self.bounds.label_bytes {
            return Err("a label is too long");
        }
        if name == "__name__" {
            return Err("a second name of the metric, as a label");
        }
        let value = if value.has_escapes { escapes::unescape(self.arena, value.raw) } else { value.raw };
        self.is_sorted &= self.labels.last().is_none_or(|last| last.name < name);
        self.labels.push(Label { name, value });
        Ok(())
    }

    /// The labels that were pushed. The one named `aside` is set aside.
    pub(super) fn finish(&mut self, aside: &str) -> Result<LabelSet<'a>, &'static str> {
        if !self.is_sorted {
            self.labels.sort_unstable_by_key(|label| label.name);
            if self.labels.windows(2).any(|pair| pair[0].name == pair[1].name) {
                return Err("a label that is there twice");
            }
        }
        // In Prometheus a label with an empty value is no label.
        self.labels.retain(|label| !label.value.is_empty());
        let set_aside = self.labels.iter().position(|label| label.name == aside);
        let aside = set_aside.map(|index| self.labels.remove(index).value);
        let is_new = self.last != self.labels;
        if is_new {
            self.last = self.arena.alloc_slice_copy(&self.labels);
        }
        Ok(LabelSet { labels: self.last, aside, is_new })
    }
}
