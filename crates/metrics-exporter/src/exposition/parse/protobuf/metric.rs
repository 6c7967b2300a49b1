//! One metric: its labels, and its value of the family's type.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::{metric as field, number},
    model::{Exemplar, Kind, Label, Series, Value},
    page::Bounds,
    parse::budget::Budget,
    parse::protobuf::{
        exemplars::ExemplarReader,
        histogram::HistogramDraft,
        labels::{Labels, Reason},
        scalars::seconds,
        summary::SummaryDraft,
        wire::{Fault, Message},
    },
};

/// Reads metrics one after the other, and reuses its memory
pub(super) struct MetricReader<'a> {
    pub(super) budget: Budget,
    arena: &'a Bump,
    bounds: Bounds,
    labels: Labels<'a>,
    exemplars: ExemplarReader<'a>,
    summary: SummaryDraft,
    histogram: HistogramDraft<'a>,
}

impl<'a> MetricReader<'a> {
    pub(super) fn new(arena: &'a Bump, bounds: Bounds) -> Self {
        Self {
            budget: Budget::new(&bounds),
            arena,
            bounds,
            labels: Labels::default(),
            exemplars: ExemplarReader::new(arena, bounds),
            summary: SummaryDraft::default(),
            histogram: HistogramDraft::default(),
        }
    }

    /// Reads a metric. The inner error is the reason why the series is left out; the outer one costs the page.
    pub(super) fn read(&mut self, kind: Kind, mut message: Message<'a>) -> Result<Result<Series<'a>, Reason>, Fault> {
        self.labels.clear();
        self.exemplars.has_lost = false;
        let mut timestamp = None;
        let mut number = NumberDraft::default();
        self.summary.clear();
        self.histogram.clear();
        let mut has_value = false;
        while let Some((field, content)) = message.field()? {
            match (field, kind) {
                (field::LABEL, _) => self.labels.read(content.message()?, &self.bounds)?,
                (field::TIMESTAMP_MS, _) => timestamp = Some(content.signed()?),
                (field::GAUGE, Kind::Gauge) | (field::UNTYPED, Kind::Unknown) | (field::COUNTER, Kind::Counter) => {
                    number.read(content.message()?, &mut self.exemplars)?;
                    has_value = true;
                }
                (field::SUMMARY, Kind::Summary) => {
                    self.summary.read(content.message()?, &mut self.budget)?;
                    has_value = true;
                }
                (field::HISTOGRAM, Kind::Histogram | Kind::GaugeHistogram) => {
                    self.histogram.read(content.message()?, &mut self.budget, &mut self.exemplars)?;
                    has_value = true;
                }
                _ => {}
            }
        }
        if !has_value {
            return Ok(Err("no value of the type of its family"));
        }
        Ok(self.finish(kind, &number, timestamp))
    }

    /// The labels of the last metric that could be read.
    pub(super) fn labels(&self) -> &[Label<'a>] {
        self.labels.as_slice()
    }

    /// The reasons why parts of the last metric are left out, while the metric is kept.
    pub(super) fn losses(&self) -> impl Iterator<Item = Reason> {
        let exemplar = self.exemplars.has_lost.then_some("an exemplar that cannot be read");
        exemplar.into_iter().chain(self.histogram.lost_native())
    }

    fn finish(&mut self, kind: Kind, number: &NumberDraft<'a>, timestamp: Option<i64>) -> Result<Series<'a>, Reason> {
        let reserved = match kind {
            Kind::Summary => Some("quantile"),
            Kind::Histogram | Kind::GaugeHistogram => Some("le"),
            _ => None,
        };
        let labels = self.labels.finish(self.arena, reserved)?;
        let (value, created) = match kind {
            Kind::Counter => (Value::Counter(number.value, number.exemplar), number.created),
            Kind::Summary => (Value::Summary(self.summary.finish(self.arena)?), self.summary.created()),
            Kind::Histogram => (Value::Histogram(self.histogram.finish(self.arena)?), self.histogram.created()),
            Kind::GaugeHistogram => (Value::Histogram(self.histogram.finish(self.arena)?), None),
            Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet => (Value::Number(number.value), None),
        };
        Ok(Series { labels, value, created, timestamp })
    }
}

/// The fields of `Counter`, `Gauge` and `Untyped`
#[derive(Default)]
struct NumberDraft<'a> {
    value: f64,
    exemplar: Option<&'a Exemplar<'a>>,
    created: Option<f64>,
}

impl<'a> NumberDraft<'a> {
    fn read(&mut self, mut message: Message<'a>, exemplars: &mut ExemplarReader<'a>) -> Result<(), Fault> {
        while let Some((number, content)) = message.field()? {
            match number {
                number::VALUE => self.value = content.double()?,
                number::EXEMPLAR => self.exemplar = exemplars.read_in_arena(content.message()?)?,
                number::CREATED => self.created = Some(seconds(content.message()?)?),
                _ => {}
            }
        }
        Ok(())
    }
}
