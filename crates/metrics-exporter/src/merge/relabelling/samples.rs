//! The samples that Prometheus makes of one series, and the verdict of rules on the whole series.

use bumpalo::Bump;

use super::clock::Clock;
use crate::{
    exposition::{
        encode::bound_text,
        model::{Family, Kind, Label, Series, Value},
        names::is_metric_name,
    },
    merge::{
        relabel::{LabelSet, LastMatch, Rule},
        report::{Reason, names_text},
    },
};

const NAME: &str = "__name__";

/// The verdict of rules on a series
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// The series is unchanged.
    Same,
    /// The series has new labels or a new name. The text is its name.
    Relabelled(&'a str),
    LeftOut(Reason, String),
}

/// Applies rules to the series of one family after the other.
pub(super) struct Relabeller<'r, 'a> {
    arena: &'a Bump,
    rules: &'r [Rule],
    clock: Clock,
    /// The last match of each rule
    last: Vec<LastMatch<'a>>,
    /// The labels of the sample that rules are applied to
    set: LabelSet<'a>,
    names: Names<'a>,
    /// Bounds or quantiles as text, because most series of a family have the same ones
    numbers: Vec<(f64, &'a str)>,
}

/// The names of a family's samples
#[derive(Clone, Copy, Default)]
struct Names<'a> {
    family: &'a str,
    bucket: &'a str,
    sum: &'a str,
    count: &'a str,
    created: &'a str,
}

/// A sample before the rules
#[derive(Clone, Copy)]
struct Sample<'a> {
    name: &'a str,
    /// The part of the name behind the family's name
    suffix: &'a str,
    /// The label that differs among the samples of the series: `le` or `quantile`
    own: Option<Label<'a>>,
    /// The name of that label
    own_name: &'a str,
}

/// The result of rules for a sample
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate<'a> {
    Dropped,
    /// The new name is no valid name of a metric.
    Invalid,
    /// The sample has lost its suffix or its own label, so it is no part of a histogram or summary.
    Odd,
    Same,
    /// The name without the suffix; the labels are those of the set.
    Changed(&'a str),
}

impl<'r, 'a> Relabeller<'r, 'a> {
    pub(super) fn new(arena: &'a Bump, rules: &'r [Rule], clock: Clock) -> Self {
        Self {
            arena,
            rules,
            clock,
            last: vec![None; rules.len()],
            set: LabelSet::default(),
            names: Names::default(),
            numbers: Vec::new(),
        }
    }

    /// Whether the rules took too long; from then on every sample is dropped.
    pub(super) fn is_late(&self) -> bool {
        self.clock.is_late()
    }

    /// Begins another family.
    pub(super) fn begin(&mut self, family: &Family<'a>) {
        let name = family.name;
        let with = |stem: &str, suffix| &*self.arena.alloc_str(&[stem, suffix].concat());
        let none = Names { family: name, ..Names::default() };
        self.names = match family.kind {
            Kind::Histogram | Kind::Summary => Names {
                bucket: with(name, "_bucket"),
                sum: with(name, "_sum"),
                count: with(name, "_count"),
                created: with(name, "_created"),
                ..none
            },
            Kind::GaugeHistogram => {
                Names { bucket: with(name, "_bucket"), sum: with(name, "_gsum"), count: with(name, "_gcount"), ..none }
            }
            Kind::Counter => Names { created: with(name.strip_suffix("_total").unwrap_or(name), "_created"), ..none },
            Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet => none,
        };
        self.numbers.clear();
    }

    /// The name of the family.
    pub(super) fn name(&self) -> &'a str {
        self.names.family
    }

    /// Applies the rules to all samples of a series, and gives it its new labels.
    pub(super) fn judge(&mut self, series: &mut Series<'a>) -> Verdict<'a> {
        let before = series.labels;
        let verdict = match series.value {
            Value::Number(_) | Value::Counter(..) => {
                let sample = Sample { name: self.names.family, suffix: "", own: None, own_name: "" };
                let fate = self.fate(before, sample);
                self.verdict(fate, series)
            }
            Value::Summary(_) | Value::Histogram(_) => self.judge_whole(series),
        };
        if series.created.is_some() && !matches!(verdict, Verdict::LeftOut(..)) {
            let name = if let Verdict::Relabelled(name) = verdict { name } else { self.names.family };
            if !self.keeps_created(name, before, series.labels) {
                series.created = None;
            }
        }
        verdict
    }

    /// True when rules treat the sample `x_created` like the series. Otherwise only the time of creation is lost, because many
    /// configurations drop these samples.
    fn keeps_created(&mut self, name: &str, before: &[Label<'a>], after: &[Label<'a>]) -> bool {
        let sample = Sample { name: self.names.created, suffix: "_created", own: None, own_name: "" };
        match self.fate(before, sample) {
            Fate::Same => name == self.names.family && before == after,
            Fate::Changed(new) => counted(new) == counted(name) && self.set.sorted() == after,
            Fate::Dropped | Fate::Invalid | Fate::Odd => false,
        }
    }

    /// Judges a histogram or a summary, whose samples must all have one fate.
    fn judge_whole(&mut self, series: &mut Series<'a>) -> Verdict<'a> {
        let samples = self.samples(series);
        let mut samples = samples.into_iter();
        let Some(first) = samples.next() else { return Verdict::Same };
        let before = series.labels;
        let fate = self.fate(before, first);
        if fate == Fate::Odd {
            return Verdict::LeftOut(Reason::SplitByRule, format!("{} {}", text_of(first), words(fate)));
        }
        let verdict = self.verdict(fate, series);
        for sample in samples {
            let other = self.fate(before, sample);
            let is_equal = other == fate && (!matches!(other, Fate::Changed(_)) || self.set.sorted() == series.labels);
            if !is_equal {
                return split(first, fate, sample, other);
            }
        }
        verdict
    }

    fn samples(&mut self, series: &Series<'a>) -> Vec<Sample<'a>> {
        let names = self.names;
        match series.value {
            Value::Number(_) | Value::Counter(..) => Vec::new(),
            Value::Summary(summary) => {
                let quantiles = summary.quantiles.iter().map(|(quantile, _)| *quantile);
                let whole = [summary.sum.map(|_| names.sum), summary.count.map(|_| names.count), None];
                self.samples_of("quantile", names.family, quantiles, whole)
            }
            Value::Histogram(histogram) => {
                let bounds = histogram.buckets.iter().map(|bucket| bucket.upper_bound);
                let native = histogram.native.map(|_| names.family);
                let whole = [histogram.sum.map(|_| names.sum), histogram.count.map(|_| names.count), native];
                self.samples_of("le", names.bucket, bounds, whole)
            }
        }
    }

    /// The samples with a bound or a quantile as a label, and the single ones.
    fn samples_of(
        &mut self,
        own_name: &'a str,
        name: &'a str,
        numbers: impl Iterator<Item = f64>,
        whole: [Option<&'a str>; 3],
    ) -> Vec<Sample<'a>> {
        let family = self.names.family.len();
        let sample = |name: &'a str, own| Sample { name, suffix: &name[family..], own, own_name };
        let mut samples: Vec<_> = whole.into_iter().flatten().map(|name| sample(name, None)).collect();
        for (nth, number) in numbers.enumerate() {
            let own = Label { name: own_name, value: self.number(nth, number) };
            samples.push(sample(name, Some(own)));
        }
        samples
    }

    /// A bound or a quantile as text.
    fn number(&mut self, nth: usize, number: f64) -> &'a str {
        if let Some((known, text)) = self.numbers.get(nth)
            && known.to_bits() == number.to_bits()
        {
            return text;
        }
        let text = &*self.arena.alloc_str(&bound_text(number));
        self.numbers.truncate(nth);
        self.numbers.push((number, text));
        text
    }

    /// Applies the rules to a sample. Afterwards `set` has its labels, without its name and its own label.
    fn fate(&mut self, labels: &[Label<'a>], sample: Sample<'a>) -> Fate<'a> {
        let name = Label { name: NAME, value: sample.name };
        self.set.reset(labels.iter().copied().chain([name]).chain(sample.own));
        for (rule, last) in self.rules.iter().zip(&mut self.last) {
            if self.clock.tick() || !rule.apply(self.arena, &mut self.set, last) {
                return Fate::Dropped;
            }
        }
        if !self.set.is_changed() {
            return Fate::Same;
        }
        let name = self.set.get(NAME);
        let own = self.set.get(sample.own_name);
        // Labels with two underscores carry text to later rules. They go, because OpenMetrics reserves such names.
        self.set.retain(|name| !name.starts_with("__") && name != sample.own_name);
        if !is_metric_name(name) {
            return Fate::Invalid;
        }
        let Some(stem) = name.strip_suffix(sample.suffix).filter(|stem| is_metric_name(stem)) else { return Fate::Odd };
        if own != sample.own.map_or("", |own| own.value) {
            return Fate::Odd;
        }
        if stem == self.names.family && self.set.sorted() == labels { Fate::Same } else { Fate::Changed(stem) }
    }

    /// Gives the series the labels of the set.
    fn verdict(&mut self, fate: Fate<'a>, series: &mut Series<'a>) -> Verdict<'a> {
        match fate {
            Fate::Same => Verdict::Same,
            Fate::Dropped => Verdict::LeftOut(Reason::DroppedByRule, String::new()),
            Fate::Invalid | Fate::Odd => Verdict::LeftOut(Reason::InvalidName, names_text(series)),
            Fate::Changed(name) => {
                series.labels = self.arena.alloc_slice_copy(self.set.sorted());
                Verdict::Relabelled(name)
            }
        }
    }
}

/// The verdict on a series whose samples have different fates.
fn split<'a>(first: Sample, fate: Fate, sample: Sample, other: Fate) -> Verdict<'a> {
    let example = format!("{} {}, {} {}", text_of(first), words(fate), text_of(sample), words(other));
    Verdict::LeftOut(Reason::SplitByRule, example)
}

fn text_of(sample: Sample) -> String {
    let own = sample.own.map(|own| format!("{{{}={:?}}}", own.name, own.value));
    format!("{}{}", sample.name, own.unwrap_or_default())
}

fn words(fate: Fate) -> String {
    match fate {
        Fate::Dropped => "is dropped".to_owned(),
        Fate::Invalid => "loses its name".to_owned(),
        Fate::Odd => "loses its suffix or its label".to_owned(),
        Fate::Same => "stays".to_owned(),
        Fate::Changed(name) => format!("changes as part of {name}"),
    }
}

/// The name of a counter without its suffix.
fn counted(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}
