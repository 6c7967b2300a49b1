//! A span that waits while the configuration changes.

use std::sync::Arc;

use super::{Source, Span};
use crate::records::treatment::Treatment;

impl Span {
    /// The same lines, read, filtered and redacted in another way. Records that were selected have
    /// their numbers by the format that found them: it stays, with its filter, if another one is
    /// asked for.
    pub(crate) fn retreated(&self, treatment: &Arc<Treatment>) -> Self {
        let present = &self.source.treatment;
        let mut treatment = treatment.clone();
        if self.selection.is_some() && present.format != treatment.format {
            let (format, filter) = (present.format.clone(), present.filter.clone());
            treatment = Treatment { format, filter, ..Treatment::clone(&treatment) }.into();
        }
        if *present == treatment {
            return self.clone();
        }
        let (path, generation) = (self.source.path.clone(), self.source.generation.clone());
        let source = Source { path, generation, treatment }.into();
        Self { source, tally: Arc::default(), retreated: self.retreated + 1, ..self.clone() }
    }
}
