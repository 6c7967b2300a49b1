//! Histograms: classic buckets here, native ones in `native.rs`.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::{bucket, histogram as field},
    model::{Bucket, Histogram, NativeBuckets},
    parse::budget::Budget,
    parse::protobuf::{
        exemplars::ExemplarReader,
        labels::Reason,
        native::NativeDraft,
        scalars::{or_float, seconds, sort_by_bound},
        wire::{Fault, Message},
    },
};

/// The fields of a histogram so far; kept to reuse the memory
#[derive(Debug, Default)]
pub(super) struct HistogramDraft<'a> {
    buckets: Vec<Bucket<'a>>,
    sum: f64,
    count: u64,
    count_float: Option<f64>,
    created: Option<f64>,
    native: NativeDraft<'a>,
    lost_native: Option<Reason>,
}

impl<'a> HistogramDraft<'a> {
    pub(super) fn clear(&mut self) {
        let Self { buckets, sum, count, count_float, created, native, lost_native } = self;
        buckets.clear();
        (*sum, *count) = (0.0, 0);
        (*count_float, *created, *lost_native) = (None, None, None);
        native.clear();
    }

    pub(super) fn read(
        &mut self,
        mut message: Message<'a>,
        budget: &mut Budget,
        exemplars: &mut ExemplarReader<'a>,
    ) -> Result<(), Fault> {
        // The sum, the count and the bucket `+Inf` are series too; one series was counted for the metric.
        budget.take_series(2)?;
        while let Some((number, content)) = message.field()? {
            match number {
                field::COUNT => self.count = content.unsigned()?,
                field::COUNT_FLOAT => self.count_float = Some(content.double()?),
                field::SUM => self.sum = content.double()?,
                field::CREATED => self.created = Some(seconds(content.message()?)?),
                field::BUCKET => {
                    budget.take_series(1)?;
                    self.buckets.push(read_bucket(content.message()?, exemplars)?);
                }
                _ => self.native.read(number, content, budget, exemplars)?,
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, arena: &'a Bump) -> Result<&'a Histogram<'a>, Reason> {
        let count = or_float(self.count, self.count_float);
        let native = self.native(arena)?;
        if !sort_by_bound(&mut self.buckets, |bucket| bucket.upper_bound) {
            return Err("a bound that is repeated or is no number");
        }
        let has_last = self.buckets.last().is_some_and(|bucket| bucket.upper_bound == f64::INFINITY);
        // A histogram with native buckets only has no classic buckets; every other one has at least the bucket +Inf.
        let is_only_native = self.buckets.is_empty() && native.is_some();
        if !has_last && !is_only_native {
            self.buckets.push(Bucket { upper_bound: f64::INFINITY, cumulative: count, exemplar: None });
        }
        let buckets = arena.alloc_slice_copy(&self.buckets);
        Ok(arena.alloc(Histogram { buckets, sum: Some(self.sum), count: Some(count), native }))
    }

    pub(super) fn created(&self) -> Option<f64> {
        self.created
    }

    /// The reason why the native buckets are left out, while the classic ones are kept.
    pub(super) fn lost_native(&self) -> Option<Reason> {
        self.lost_native
    }

    /// The native buckets. Wrong ones are an error, which costs the whole histogram, only if there are no classic buckets.
    fn native(&mut self, arena: &'a Bump) -> Result<Option<&'a NativeBuckets<'a>>, Reason> {
        match self.native.finish(arena, self.count, self.count_float, self.sum) {
            Ok(native) => Ok(native),
            Err(reason) if self.buckets.is_empty() => Err(reason),
            Err(reason) => {
                self.lost_native = Some(reason);
                Ok(None)
            }
        }
    }
}

fn read_bucket<'a>(mut message: Message<'a>, exemplars: &mut ExemplarReader<'a>) -> Result<Bucket<'a>, Fault> {
    let mut integer = 0;
    let mut float = None;
    let mut bucket = Bucket { upper_bound: 0.0, cumulative: 0.0, exemplar: None };
    while let Some((number, content)) = message.field()? {
        match number {
            bucket::COUNT => integer = content.unsigned()?,
            bucket::COUNT_FLOAT => float = Some(content.double()?),
            bucket::UPPER_BOUND => bucket.upper_bound = content.double()?,
            bucket::EXEMPLAR => bucket.exemplar = exemplars.read_in_arena(content.message()?)?,
            _ => {}
        }
    }
    bucket.cumulative = or_float(integer, float);
    Ok(bucket)
}
