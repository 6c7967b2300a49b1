//! The rest of a page's bounds while it is parsed: series, names and memory. It is counted as early as possible, because two
//! bytes of a body can need many more in memory.

use crate::exposition::{
    page::{Bounds, LACKS_MEMORY},
    parse::labels::LabelSet,
};

/// The rest of the bounds
#[derive(Debug)]
pub(super) struct Budget {
    /// The series in eighths, because a native bucket, a span or a label of an exemplar takes an eighth of a series' memory
    eighths: usize,
    names: usize,
    memory: usize,
}

/// Bytes of a series without its labels, from the parser to the finished page
const SERIES_BYTES: usize = 320;
/// Bytes of a label without its text
const LABEL_BYTES: usize = 40;
/// Bytes of a name, from the parser to the finished page
const NAME_BYTES: usize = 640;

const EIGHTHS: usize = 8;

impl Budget {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { eighths: bounds.series.saturating_mul(EIGHTHS), names: bounds.series, memory: bounds.memory }
    }

    /// Takes a family, with series or without.
    pub(super) fn take_name(&mut self) -> Result<(), &'static str> {
        self.names = self.names.checked_sub(1).ok_or("too many names")?;
        self.take_bytes(NAME_BYTES)
    }

    pub(super) fn take_series(&mut self, series: usize) -> Result<(), &'static str> {
        self.take(series.saturating_mul(EIGHTHS))
    }

    /// Takes an eighth of a series: a native bucket, a span or a label of an exemplar.
    pub(super) fn take_part(&mut self) -> Result<(), &'static str> {
        self.take(1)
    }

    /// Takes labels, unless they share the slice of the previous sample.
    pub(super) fn take_labels(&mut self, labels: &LabelSet) -> Result<(), &'static str> {
        if labels.is_new { self.take_slice(labels.labels.len()) } else { Ok(()) }
    }

    pub(super) fn take_slice(&mut self, labels: usize) -> Result<(), &'static str> {
        self.take_bytes(labels.saturating_mul(LABEL_BYTES))
    }

    /// Takes bytes of memory, for example for text that is longer on the page than in the body.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.memory = self.memory.checked_sub(bytes).ok_or(LACKS_MEMORY)?;
        Ok(())
    }

    /// The bytes that were taken so far.
    pub(super) fn cost(&self, bounds: &Bounds) -> usize {
        bounds.memory - self.memory
    }

    fn take(&mut self, eighths: usize) -> Result<(), &'static str> {
        self.eighths = self.eighths.checked_sub(eighths).ok_or("too many series")?;
        self.take_bytes(eighths.saturating_mul(SERIES_BYTES / EIGHTHS))
    }
}
