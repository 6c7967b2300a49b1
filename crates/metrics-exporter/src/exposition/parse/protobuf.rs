//! Parses delimited messages of io.prometheus.client.MetricFamily.
//!
//! A missing field counts as 0 or empty, as in Prometheus, because writers of proto3 never send a 0.

mod exemplars;
mod histogram;
mod labels;
mod metric;
mod native;
mod scalars;
mod summary;
mod wire;

use std::collections::HashMap;

use bumpalo::Bump;

use crate::exposition::{
    example,
    metrics_proto::{family as field, metric_type},
    model::{Family, Kind, Series},
    names::is_metric_name,
    notes::Notes,
    page::{Bounds, Page, PageFault},
    parse::protobuf::{
        metric::MetricReader,
        wire::{Fault, Message},
    },
};

/// Parses the messages of a body.
pub(super) fn parse<'a>(arena: &'a Bump, body: &'a [u8], bounds: &Bounds) -> Result<Page<'a>, PageFault> {
    let mut reader = Reader {
        metrics: MetricReader::new(arena, *bounds),
        messages: Vec::new(),
        places: HashMap::new(),
        families: Vec::new(),
        notes: Notes::default(),
    };
    let mut rest = Message::new(body);
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let family = rest.delimited().and_then(|bytes| reader.family(Message::new(bytes)));
        family.map_err(|fault| PageFault { line, fault: fault.to_owned() })?;
    }
    let Reader { metrics, mut families, mut notes, .. } = reader;
    for family in &mut families {
        leave_out_repeated(family, &mut notes);
    }
    families.retain(|family| !family.series.is_empty());
    Ok(Page { families, notes: notes.into_vec(), cost: metrics.budget.cost(bounds) })
}

struct Reader<'a> {
    metrics: MetricReader<'a>,
    /// The metrics of the current family; kept to reuse the memory
    messages: Vec<&'a [u8]>,
    /// The index of each name in `families`
    places: HashMap<&'a str, usize>,
    families: Vec<Family<'a>>,
    notes: Notes,
}

impl<'a> Reader<'a> {
    /// Reads a family. Its metrics are read last, because the name and the type may stand behind them.
    fn family(&mut self, mut message: Message<'a>) -> Result<(), Fault> {
        let (mut name, mut help, mut unit): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
        let mut kind = metric_type::COUNTER;
        self.messages.clear();
        while let Some((number, content)) = message.field()? {
            match number {
                field::NAME => name = content.bytes()?,
                field::HELP => help = content.bytes()?,
                field::UNIT => unit = content.bytes()?,
                field::TYPE => kind = content.unsigned()?,
                field::METRIC => {
                    self.metrics.budget.take_series(1)?;
                    self.messages.push(content.bytes()?);
                }
                _ => {}
            }
        }
        let name = match str::from_utf8(name) {
            Ok(name) if is_metric_name(name) => name,
            _ => {
                self.leave_out_family(&String::from_utf8_lossy(name), "a name that metrics cannot have");
                return Ok(());
            }
        };
        let Some(kind) = kind_of(kind) else {
            self.leave_out_family(name, "an unknown type");
            return Ok(());
        };
        let help = str::from_utf8(help).unwrap_or_default();
        let unit = str::from_utf8(unit).ok().filter(|unit| is_unit_of(name, unit)).unwrap_or_default();
        if !self.places.contains_key(name) {
            self.metrics.budget.take_name()?;
        }
        let place = *self.places.entry(name).or_insert_with(|| {
            let series = Vec::with_capacity(self.messages.len());
            self.families.push(Family { name, kind, help, unit, series });
            self.families.len() - 1
        });
        if self.families[place].kind != kind {
            self.leave_out_family(name, "a second type of one name");
            return Ok(());
        }
        self.series(place)
    }

    fn series(&mut self, place: usize) -> Result<(), Fault> {
        let family = &mut self.families[place];
        for message in &self.messages {
            match self.metrics.read(family.kind, Message::new(message))? {
                Ok(series) => {
                    self.metrics.budget.take_slice(series.labels.len())?;
                    self.metrics.budget.take_bytes(series.lines().saturating_mul(line_bytes(family.name, &series)))?;
                    family.series.push(series);
                }
                Err(reason) => {
                    self.notes.add(family.name, reason, || example::without_values(family.name, self.metrics.labels()));
                }
            }
            for loss in self.metrics.losses() {
                self.notes
                    .add_many(family.name, loss, 0, || example::without_values(family.name, self.metrics.labels()));
            }
        }
        Ok(())
    }

    fn leave_out_family(&mut self, name: &str, reason: &'static str) {
        self.notes.add_many(name, reason, self.messages.len(), || name.to_owned());
    }
}

fn kind_of(number: u64) -> Option<Kind> {
    match number {
        metric_type::COUNTER => Some(Kind::Counter),
        metric_type::GAUGE => Some(Kind::Gauge),
        metric_type::SUMMARY => Some(Kind::Summary),
        metric_type::UNTYPED => Some(Kind::Unknown),
        metric_type::HISTOGRAM => Some(Kind::Histogram),
        metric_type::GAUGE_HISTOGRAM => Some(Kind::GaugeHistogram),
        _ => None,
    }
}

/// Bytes of name and labels, which each line has
fn line_bytes(name: &str, series: &Series) -> usize {
    name.len() + series.labels.iter().map(|label| label.name.len() + label.value.len()).sum::<usize>()
}

/// True when the name ends with the unit, as the model requires.
fn is_unit_of(name: &str, unit: &str) -> bool {
    let base = name.strip_suffix("_total").unwrap_or(name);
    base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

/// Leaves out all but the first of several series with the same labels.
fn leave_out_repeated(family: &mut Family, notes: &mut Notes) {
    // Most clients send their series sorted, so this check mostly ends the search with one comparison for each series.
    if family.series.is_sorted_by(|one, next| one.labels < next.labels) {
        return;
    }
    let mut order: Vec<usize> = (0..family.series.len()).collect();
    order.sort_by_key(|index| family.series[*index].labels);
    let mut is_repeated = vec![false; order.len()];
    // The sort is stable, so the first of a run of equals is the first in the family.
    for pair in order.windows(2) {
        let [one, next] = [pair[0], pair[1]].map(|index| &family.series[index]);
        if one.labels == next.labels {
            is_repeated[pair[1]] = true;
            notes.add(family.name, "repeated series", || example::without_values(family.name, next.labels));
        }
    }
    let mut is_repeated = is_repeated.into_iter();
    family.series.retain(|_: &Series| !is_repeated.next().unwrap_or_default());
}
