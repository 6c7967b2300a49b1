//! The native buckets of a histogram. They are checked as by Prometheus, because a wrong histogram would cost it the whole scrape.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::{histogram as field, span},
    model::{Exemplar, NativeBuckets, NativeSide},
    parse::budget::Budget,
    parse::protobuf::{
        exemplars::ExemplarReader,
        labels::Reason,
        scalars::or_float,
        wire::{Content, Fault, Message, zigzag},
    },
};

/// The fields so far; kept to reuse the memory
#[derive(Debug, Default)]
pub(super) struct NativeDraft<'a> {
    schema: i64,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: Option<f64>,
    positive: SideDraft,
    negative: SideDraft,
    exemplars: Vec<Exemplar<'a>>,
}

#[derive(Debug, Default)]
struct SideDraft {
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl<'a> NativeDraft<'a> {
    pub(super) fn clear(&mut self) {
        let Self { schema, zero_threshold, zero_count, zero_count_float, positive, negative, exemplars } = self;
        (*schema, *zero_threshold, *zero_count, *zero_count_float) = (0, 0.0, 0, None);
        positive.clear();
        negative.clear();
        exemplars.clear();
    }

    /// Reads a field that classic histograms do not have.
    pub(super) fn read(
        &mut self,
        number: u32,
        content: Content<'a>,
        budget: &mut Budget,
        exemplars: &mut ExemplarReader<'a>,
    ) -> Result<(), Fault> {
        match number {
            field::SCHEMA => self.schema = content.zigzag()?,
            field::ZERO_THRESHOLD => self.zero_threshold = content.double()?,
            field::ZERO_COUNT => self.zero_count = content.unsigned()?,
            field::ZERO_COUNT_FLOAT => self.zero_count_float = Some(content.double()?),
            field::POSITIVE_SPAN => self.positive.read_span(content, budget)?,
            field::POSITIVE_DELTA => self.positive.read_deltas(content, budget)?,
            field::POSITIVE_COUNT => self.positive.read_counts(content, budget)?,
            field::NEGATIVE_SPAN => self.negative.read_span(content, budget)?,
            field::NEGATIVE_DELTA => self.negative.read_deltas(content, budget)?,
            field::NEGATIVE_COUNT => self.negative.read_counts(content, budget)?,
            field::EXEMPLARS => {
                budget.take_series(1)?;
                // Prometheus ignores exemplars without a time.
                self.exemplars.extend(exemplars.read(content.message()?)?.filter(|read| read.timestamp.is_some()));
            }
            _ => {}
        }
        Ok(())
    }

    /// The buckets; `None` if the histogram is not native. The error is the reason why they are wrong.
    pub(super) fn finish(
        &self,
        arena: &'a Bump,
        count: u64,
        count_float: Option<f64>,
        sum: f64,
    ) -> Result<Option<&'a NativeBuckets<'a>>, Reason> {
        let is_set = |float: Option<f64>| float.is_some_and(|float| float > 0.0);
        if self.positive.is_empty()
            && self.negative.is_empty()
            && self.zero_count == 0
            && !is_set(self.zero_count_float)
            && self.zero_threshold <= 0.0
        {
            return Ok(None);
        }
        let has_deltas = !self.positive.deltas.is_empty() || !self.negative.deltas.is_empty();
        let has_counts = !self.positive.counts.is_empty() || !self.negative.counts.is_empty();
        let has_float = count_float.is_some() || self.zero_count_float.is_some() || has_counts;
        let is_float = is_set(count_float) || is_set(self.zero_count_float) || (has_float && !has_deltas);
        let schema = i32::try_from(self.schema).ok().filter(|schema| SCHEMAS.contains(schema));
        let schema = schema.ok_or("a native histogram with an unknown schema")?;
        if is_float {
            self.positive.judge_counts()?;
            self.negative.judge_counts()?;
        } else {
            let in_buckets =
                u128::from(self.zero_count) + self.positive.judge_deltas()? + self.negative.judge_deltas()?;
            // NaN observations count in no bucket, and make the sum NaN.
            let is_whole = if sum.is_nan() { in_buckets <= count.into() } else { in_buckets == count.into() };
            if !is_whole {
                return Err("a native histogram whose buckets do not add up to its count");
            }
        }
        Ok(Some(arena.alloc(NativeBuckets {
            schema,
            zero_threshold: self.zero_threshold,
            zero_count: or_float(self.zero_count, self.zero_count_float),
            positive: self.positive.finish(arena, is_float),
            negative: self.negative.finish(arena, is_float),
            is_float,
            exemplars: arena.alloc_slice_copy(&self.exemplars),
        })))
    }
}

/// The schemas that all versions of Prometheus support
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

impl SideDraft {
    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
        self.counts.clear();
    }

    fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.deltas.is_empty() && self.counts.is_empty()
    }

    fn read_span(&mut self, content: Content, budget: &mut Budget) -> Result<(), Fault> {
        budget.take_part()?;
        let mut message = content.message()?;
        let (mut offset, mut length) = (0, 0);
        while let Some((number, content)) = message.field()? {
            match number {
                span::OFFSET => offset = content.zigzag()?,
                span::LENGTH => length = content.unsigned()?,
                _ => {}
            }
        }
        let offset = i32::try_from(offset).map_err(|_| "an offset of more than 32 bits")?;
        let length = u32::try_from(length).map_err(|_| "a length of more than 32 bits")?;
        self.spans.push((offset, length));
        Ok(())
    }

    /// Reads one delta, or many packed into one field; the wire format allows both.
    fn read_deltas(&mut self, content: Content, budget: &mut Budget) -> Result<(), Fault> {
        let Content::Bytes(bytes) = content else {
            budget.take_part()?;
            self.deltas.push(content.zigzag()?);
            return Ok(());
        };
        let mut packed = Message::new(bytes);
        while !packed.is_empty() {
            budget.take_part()?;
            self.deltas.push(zigzag(packed.varint()?));
        }
        Ok(())
    }

    fn read_counts(&mut self, content: Content, budget: &mut Budget) -> Result<(), Fault> {
        let Content::Bytes(bytes) = content else {
            budget.take_part()?;
            self.counts.push(content.double()?);
            return Ok(());
        };
        let mut packed = Message::new(bytes);
        while !packed.is_empty() {
            budget.take_part()?;
            self.counts.push(f64::from_bits(packed.fixed64()?));
        }
        Ok(())
    }

    fn judge_spans(&self, buckets: usize) -> Result<(), Reason> {
        let length: u64 = self.spans.iter().map(|(_, length)| u64::from(*length)).sum();
        let is_ordered = self.spans.iter().skip(1).all(|(offset, _)| *offset >= 0);
        let fits = length == buckets as u64 && is_ordered;
        if fits { Ok(()) } else { Err("a native histogram whose spans do not fit its buckets") }
    }

    fn judge_counts(&self) -> Result<(), Reason> {
        self.judge_spans(self.counts.len())?;
        let is_count = self.counts.iter().all(|count| *count >= 0.0);
        if is_count { Ok(()) } else { Err(NO_COUNT) }
    }

    /// The number of observations in all buckets of deltas, or the reason why they are wrong.
    fn judge_deltas(&self) -> Result<u128, Reason> {
        self.judge_spans(self.deltas.len())?;
        let (mut count, mut sum) = (0_i64, 0);
        for delta in &self.deltas {
            count = count.checked_add(*delta).ok_or(NO_COUNT)?;
            sum += u128::try_from(count).map_err(|_| NO_COUNT)?;
        }
        Ok(sum)
    }

    fn finish<'a>(&self, arena: &'a Bump, is_float: bool) -> NativeSide<'a> {
        NativeSide {
            spans: arena.alloc_slice_copy(&self.spans),
            deltas: if is_float { &[] } else { arena.alloc_slice_copy(&self.deltas) },
            counts: if is_float { arena.alloc_slice_copy(&self.counts) } else { &[] },
        }
    }
}

const NO_COUNT: Reason = "a native histogram with a negative or impossible count";
