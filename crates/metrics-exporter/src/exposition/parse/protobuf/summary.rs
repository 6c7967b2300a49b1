//! Summaries.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::{quantile, summary as field},
    model::Summary,
    parse::budget::Budget,
    parse::protobuf::{
        labels::Reason,
        scalars::{count, seconds, sort_by_bound},
        wire::{Fault, Message},
    },
};

/// The fields of a summary so far; kept to reuse the memory
#[derive(Debug, Default)]
pub(super) struct SummaryDraft {
    quantiles: Vec<(f64, f64)>,
    sum: f64,
    count: u64,
    created: Option<f64>,
}

impl SummaryDraft {
    pub(super) fn clear(&mut self) {
        let Self { quantiles, sum, count, created } = self;
        quantiles.clear();
        (*sum, *count, *created) = (0.0, 0, None);
    }

    pub(super) fn read(&mut self, mut message: Message, budget: &mut Budget) -> Result<(), Fault> {
        // The sum and the count are series too; one series was counted for the metric.
        budget.take_series(1)?;
        while let Some((number, content)) = message.field()? {
            match number {
                field::COUNT => self.count = content.unsigned()?,
                field::SUM => self.sum = content.double()?,
                field::CREATED => self.created = Some(seconds(content.message()?)?),
                field::QUANTILE => {
                    budget.take_series(1)?;
                    self.quantiles.push(read_quantile(content.message()?)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn finish<'a>(&mut self, arena: &'a Bump) -> Result<&'a Summary<'a>, Reason> {
        if !sort_by_bound(&mut self.quantiles, |(quantile, _)| *quantile) {
            return Err("a quantile that is repeated or is no number");
        }
        let quantiles = arena.alloc_slice_copy(&self.quantiles);
        Ok(arena.alloc(Summary { quantiles, sum: Some(self.sum), count: Some(count(self.count)) }))
    }

    pub(super) fn created(&self) -> Option<f64> {
        self.created
    }
}

fn read_quantile(mut message: Message) -> Result<(f64, f64), Fault> {
    let (mut quantile, mut value) = (0.0, 0.0);
    while let Some((number, content)) = message.field()? {
        match number {
            quantile::QUANTILE => quantile = content.double()?,
            quantile::VALUE => value = content.double()?,
            _ => {}
        }
    }
    Ok((quantile, value))
}
