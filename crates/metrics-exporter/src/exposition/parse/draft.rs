//! The samples of a page by name, until the types of all families are known.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::exposition::{
    model::{Kind, Label},
    notes::Notes,
    page::Bounds,
    parse::budget::Budget,
};

/// The page so far
pub(super) struct Draft<'a> {
    /// In the order of their first line
    pub(super) metrics: Vec<Metric<'a>>,
    pub(super) by_name: HashMap<&'a str, usize, RandomState>,
    pub(super) notes: Notes,
    /// The metric of the line before
    last: usize,
    pub(super) budget: Budget,
}

/// All lines with one name
pub(super) struct Metric<'a> {
    pub(super) name: &'a str,
    /// The declared type
    pub(super) kind: Option<Kind>,
    /// Unescaped
    pub(super) help: Option<&'a str>,
    pub(super) samples: Vec<Sample<'a>>,
}

/// One line
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    /// The labels without the one that is set aside
    pub(super) labels: &'a [Label<'a>],
    /// The value of the label that `aside` names
    pub(super) aside: Option<&'a str>,
    pub(super) value: f64,
    pub(super) timestamp: Option<i64>,
}

/// The name of the label that is set aside while lines are read, because a later line may show that the metric is a part of a
/// histogram or summary.
pub(super) fn aside(name: &str) -> &'static str {
    if name.ends_with("_bucket") { "le" } else { "quantile" }
}

impl<'a> Draft<'a> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            metrics: Vec::new(),
            by_name: HashMap::default(),
            notes: Notes::default(),
            last: 0,
            budget: Budget::new(bounds),
        }
    }

    /// Declares a type. The first type of a name stays.
    pub(super) fn declare_kind(&mut self, name: &'a str, kind: Kind) -> Result<(), &'static str> {
        let metric = self.metric(name)?;
        match metric.kind {
            None => metric.kind = Some(kind),
            Some(first) if first != kind => {
                self.notes.add_many(name, "contradicting type", 0, || format!("{first:?} and {kind:?}"));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Declares a help. The first help of a name stays.
    pub(super) fn declare_help(&mut self, name: &'a str, help: &'a str) -> Result<(), &'static str> {
        let metric = self.metric(name)?;
        match metric.help {
            None => metric.help = Some(help),
            Some(first) if first != help => {
                self.notes.add_many(name, "contradicting help", 0, || format!("{first:?} and {help:?}"));
            }
            Some(_) => {}
        }
        Ok(())
    }

    pub(super) fn add(&mut self, name: &'a str, sample: Sample<'a>) -> Result<(), &'static str> {
        self.budget.take_series(1)?;
        let samples = &mut self.metric(name)?.samples;
        // Reserve room for one sample, because most names have one, and more room would be most of their memory.
        if samples.is_empty() {
            samples.reserve_exact(1);
        }
        samples.push(sample);
        Ok(())
    }

    fn metric(&mut self, name: &'a str) -> Result<&mut Metric<'a>, &'static str> {
        if self.metrics.get(self.last).is_none_or(|last| last.name != name) {
            self.last = match self.by_name.get(name) {
                Some(index) => *index,
                None => self.begin(name)?,
            };
        }
        Ok(&mut self.metrics[self.last])
    }

    fn begin(&mut self, name: &'a str) -> Result<usize, &'static str> {
        self.budget.take_name()?;
        let index = self.metrics.len();
        self.metrics.push(Metric { name, kind: None, help: None, samples: Vec::new() });
        self.by_name.insert(name, index);
        Ok(index)
    }
}
