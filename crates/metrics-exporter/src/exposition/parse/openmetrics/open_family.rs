//! A family while its lines are read.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use bumpalo::Bump;
use foldhash::fast::RandomState;

use crate::exposition::{
    example,
    model::{Family, Kind, Label, Series, Value},
    notes::Notes,
    openmetrics_rules::is_unit_of,
    parse::{
        cursor::Cursor,
        labels::LabelSet,
        openmetrics::{
            point::{Point, Taken},
            sample::{Role, Sample},
        },
    },
};

/// Metadata, finished series, and the current point
pub(super) struct OpenFamily<'a> {
    arena: &'a Bump,
    /// The name without suffix
    pub(super) name: &'a str,
    pub(super) kind: Option<Kind>,
    pub(super) help: Option<&'a str>,
    pub(super) unit: Option<&'a str>,
    pub(super) has_samples: bool,
    /// The start of the family's last line
    pub(super) at: Cursor<'a>,
    series: Vec<Series<'a>>,
    /// All metrics by their labels, without the label that is set aside
    metrics: HashMap<&'a [Label<'a>], Known, RandomState>,
    /// Points that were left incomplete, or that got more lines after they were left
    drafts: Vec<Draft<'a>>,
    /// The index of the draft that is the current point, if it is one
    draft: Option<usize>,
    /// The labels of all states
    states: HashSet<&'a [Label<'a>], RandomState>,
    /// The index of the first series of the current point
    first_of_point: usize,
    point: Point<'a>,
}

/// The place of a metric that has earlier samples
#[derive(Clone, Copy)]
enum Known {
    /// The index of its series. The series may be missing still, while its point is the current one.
    Series(usize),
    Draft(usize),
}

/// A point whose lines do not stand together; Python's client writes such histograms for several processes
struct Draft<'a> {
    point: Point<'a>,
    /// The index of the series that was made when the point was left for the first time
    series: Option<usize>,
}

/// The point that a sample belongs to
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The current point
    Point,
    /// An older point, which no longer counts
    Past,
}

/// A fault, and the line that it is in
pub(super) type FaultAt<'a> = (Cursor<'a>, &'static str);

impl<'a> OpenFamily<'a> {
    pub(super) fn new(arena: &'a Bump, name: &'a str, at: Cursor<'a>) -> Self {
        Self {
            arena,
            name,
            kind: None,
            help: None,
            unit: None,
            has_samples: false,
            at,
            series: Vec::new(),
            metrics: HashMap::default(),
            drafts: Vec::new(),
            draft: None,
            states: HashSet::default(),
            first_of_point: 0,
            point: Point::default(),
        }
    }

    /// The role of a sample of this name in the family; `None` if it belongs to another one.
    pub(super) fn role_of(&self, sample: &str) -> Option<Role> {
        let suffix = sample.strip_prefix(self.name).filter(|_| !self.name.is_empty())?;
        Some(match (self.kind(), suffix) {
            (Kind::Unknown | Kind::Gauge | Kind::StateSet, "") | (Kind::Counter, "_total") | (Kind::Info, "_info") => {
                Role::Value
            }
            (Kind::Summary, "") => Role::Quantile,
            (Kind::Histogram | Kind::GaugeHistogram, "_bucket") => Role::Bucket,
            (Kind::Histogram | Kind::Summary, "_sum") | (Kind::GaugeHistogram, "_gsum") => Role::Sum,
            (Kind::Histogram | Kind::Summary, "_count") | (Kind::GaugeHistogram, "_gcount") => Role::Count,
            (Kind::Counter | Kind::Histogram | Kind::Summary, "_created") => Role::Created,
            _ => return None,
        })
    }

    /// The label that differs among the samples of one metric, and is set aside; an empty name if there is none.
    pub(super) fn aside(&self) -> &'a str {
        match self.kind() {
            Kind::Histogram | Kind::GaugeHistogram => "le",
            Kind::Summary => "quantile",
            Kind::StateSet => self.name,
            Kind::Unknown | Kind::Gauge | Kind::Counter | Kind::Info => "",
        }
    }

    /// Adds a sample; its line begins at `at`.
    pub(super) fn add(&mut self, sample: &Sample<'a>, at: Cursor<'a>, notes: &mut Notes) -> Result<(), FaultAt<'a>> {
        if self.place(sample, notes) == Place::Past {
            return Ok(());
        }
        self.at = at;
        self.has_samples = true;
        let taken = if self.has_points() { self.point.add(self.kind(), sample) } else { self.add_number(sample) };
        if taken.map_err(|fault| (at, fault))? == Taken::Repeated {
            notes.add(self.name, "repeated series", || example::without_values(self.name, sample.labels.labels));
        }
        Ok(())
    }

    /// Ends the family, and returns it in the model.
    pub(super) fn end(mut self, notes: &mut Notes) -> Result<Family<'a>, FaultAt<'a>> {
        self.leave_point();
        self.end_drafts(notes);
        let (name, kind, at) = (self.name, self.kind(), self.at);
        let unit = self.unit.unwrap_or_default();
        if !is_unit_of(unit, name, kind) {
            return Err((at, "a unit that is not the end of the name, or of a type that has no unit"));
        }
        let name = match kind {
            Kind::Counter => self.arena.alloc_str(&[name, "_total"].concat()),
            Kind::Info => self.arena.alloc_str(&[name, "_info"].concat()),
            _ => name,
        };
        Ok(Family { name, kind, help: self.help.unwrap_or_default(), unit, series: self.series })
    }

    fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Unknown)
    }

    /// Finds the point of a sample. Leaves the current point if the sample belongs to another one.
    fn place(&mut self, sample: &Sample<'a>, notes: &mut Notes) -> Place {
        let labels = sample.labels.labels;
        if !self.has_samples || self.point.labels != labels {
            self.leave_point();
            if !self.enter_point(labels, sample.timestamp) {
                return Place::Point;
            }
            if !self.has_points() {
                notes.add(self.name, "repeated series", || example::without_values(self.name, labels));
                return Place::Past;
            }
        }
        let (Some(before), Some(now)) = (self.point.timestamp, sample.timestamp) else { return Place::Point };
        if before == now {
            return Place::Point;
        }
        // A series has one value, and the newest one counts.
        notes.add(self.name, "older point of a series", || example::without_values(self.name, labels));
        if now < before {
            return Place::Past;
        }
        for series in self.series.drain(self.first_of_point..) {
            self.states.remove(series.labels);
        }
        self.start_point(labels, sample.timestamp);
        Place::Point
    }

    /// Begins or resumes the point of these labels. True if it is resumed, or if the metric may not have more samples.
    fn enter_point(&mut self, labels: &'a [Label<'a>], timestamp: Option<i64>) -> bool {
        let known = match self.metrics.entry(labels) {
            Entry::Vacant(vacant) => {
                vacant.insert(Known::Series(self.series.len()));
                self.start_point(labels, timestamp);
                return false;
            }
            Entry::Occupied(known) => *known.get(),
        };
        if !self.has_points() {
            let is_state = self.kind() == Kind::StateSet;
            if is_state {
                self.start_point(labels, timestamp);
            }
            return !is_state;
        }
        let draft = match known {
            Known::Draft(draft) => draft,
            Known::Series(series) => self.keep_draft(Point::of(&self.series[series]), Some(series)),
        };
        std::mem::swap(&mut self.point, &mut self.drafts[draft].point);
        self.draft = Some(draft);
        self.first_of_point = self.series.len();
        true
    }

    fn start_point(&mut self, labels: &'a [Label<'a>], timestamp: Option<i64>) {
        self.point.restart(labels, timestamp);
        self.first_of_point = self.series.len();
    }

    /// Leaves the current point: it becomes a series if it is complete, and a draft otherwise.
    fn leave_point(&mut self) {
        if !self.has_samples || !self.has_points() {
            return;
        }
        if let Some(draft) = self.draft.take() {
            std::mem::swap(&mut self.point, &mut self.drafts[draft].point);
        } else if let Ok(series) = self.point.series(self.arena, self.kind()) {
            self.series.push(series);
        } else {
            let point = std::mem::take(&mut self.point);
            self.keep_draft(point, None);
        }
    }

    fn keep_draft(&mut self, point: Point<'a>, series: Option<usize>) -> usize {
        self.metrics.insert(point.labels, Known::Draft(self.drafts.len()));
        self.drafts.push(Draft { point, series });
        self.drafts.len() - 1
    }

    /// Makes series of the drafts, and leaves out those that are still incomplete.
    fn end_drafts(&mut self, notes: &mut Notes) {
        for draft in std::mem::take(&mut self.drafts) {
            match (draft.point.series(self.arena, self.kind()), draft.series) {
                (Ok(series), Some(place)) => self.series[place] = series,
                (Ok(series), None) => self.series.push(series),
                (Err(reason), _) => {
                    notes.add(self.name, reason, || example::without_values(self.name, draft.point.labels));
                }
            }
        }
    }

    /// True when a series may have several samples.
    fn has_points(&self) -> bool {
        matches!(self.kind(), Kind::Counter | Kind::Summary | Kind::Histogram | Kind::GaugeHistogram)
    }

    /// Adds a series of one sample.
    fn add_number(&mut self, sample: &Sample<'a>) -> Result<Taken, &'static str> {
        if sample.exemplar.is_some() {
            return Err("an exemplar at something that is neither a counter nor a bucket");
        }
        let labels = self.all_labels(sample.labels);
        let is_known = match self.kind() {
            Kind::StateSet => !self.states.insert(labels),
            _ => self.series.len() > self.first_of_point,
        };
        if is_known {
            return Ok(Taken::Repeated);
        }
        let value = Value::Number(sample.value);
        self.series.push(Series { labels, value, created: None, timestamp: sample.timestamp });
        Ok(Taken::New)
    }

    /// The labels of a state: those of its set, and the one that was set aside.
    fn all_labels(&self, set: LabelSet<'a>) -> &'a [Label<'a>] {
        let Some(value) = set.aside else { return set.labels };
        let mut labels = set.labels.to_vec();
        let place = labels.partition_point(|label| label.name < self.name);
        labels.insert(place, Label { name: self.name, value });
        self.arena.alloc_slice_copy(&labels)
    }
}
