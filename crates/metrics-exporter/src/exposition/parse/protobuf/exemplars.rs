//! Exemplars of counters, buckets and native histograms.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::exemplar,
    model::Exemplar,
    page::Bounds,
    parse::protobuf::{
        labels::Labels,
        scalars::seconds,
        wire::{Fault, Message},
    },
};

/// Reads exemplars. A wrong exemplar is left out, and costs nothing else.
pub(super) struct ExemplarReader<'a> {
    arena: &'a Bump,
    bounds: Bounds,
    labels: Labels<'a>,
    /// True when the metric has lost an exemplar
    pub(super) has_lost: bool,
}

impl<'a> ExemplarReader<'a> {
    pub(super) fn new(arena: &'a Bump, bounds: Bounds) -> Self {
        Self { arena, bounds, labels: Labels::default(), has_lost: false }
    }

    /// Reads an exemplar; `None` if its labels are invalid.
    pub(super) fn read(&mut self, mut message: Message<'a>) -> Result<Option<Exemplar<'a>>, Fault> {
        self.labels.clear();
        let mut value = 0.0;
        let mut timestamp = None;
        while let Some((number, content)) = message.field()? {
            match number {
                exemplar::LABEL => self.labels.read(content.message()?, &self.bounds)?,
                exemplar::VALUE => value = content.double()?,
                exemplar::TIMESTAMP => timestamp = Some(seconds(content.message()?)?),
                _ => {}
            }
        }
        let Ok(labels) = self.labels.finish(self.arena, None) else {
            self.has_lost = true;
            return Ok(None);
        };
        Ok(Some(Exemplar { labels, value, timestamp }))
    }

    /// Like [`read`](Self::read), with the exemplar in the arena.
    pub(super) fn read_in_arena(&mut self, message: Message<'a>) -> Result<Option<&'a Exemplar<'a>>, Fault> {
        Ok(self.read(message)?.map(|exemplar| &*self.arena.alloc(exemplar)))
    }
}
