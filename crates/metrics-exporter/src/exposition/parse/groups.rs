//! Assembles histograms and summaries from samples in any order.

use std::collections::HashMap;

use bumpalo::Bump;
use foldhash::fast::RandomState;

use crate::exposition::{
    example,
    model::{Bucket, Histogram, Label, Series, Summary, Value},
    notes::Notes,
    parse::{draft::Sample, number},
};

/// The histograms or summaries of one family
pub(super) struct Groups<'a> {
    family: &'a str,
    list: Vec<Group<'a>>,
    by_labels: HashMap<&'a [Label<'a>], usize, RandomState>,
    /// The points of all groups
    points: Vec<Point>,
    /// The group of the previous sample
    last: usize,
}

struct Group<'a> {
    labels: &'a [Label<'a>],
    sum: Option<f64>,
    count: Option<f64>,
    timestamp: Option<i64>,
    /// True when the group is left out and noted
    is_broken: bool,
}

/// A bucket or a quantile
#[derive(Clone, Copy)]
struct Point {
    group: usize,
    bound: f64,
    value: f64,
}

impl<'a> Groups<'a> {
    pub(super) fn new(family: &'a str, expected: usize) -> Self {
        let by_labels = HashMap::with_capacity_and_hasher(expected, RandomState::default());
        Self { family, list: Vec::with_capacity(expected), by_labels, points: Vec::new(), last: 0 }
    }

    /// Adds buckets or quantiles.
    pub(super) fn add_points(&mut self, samples: &[Sample<'a>], notes: &mut Notes) {
        self.points.reserve_exact(samples.len());
        for sample in samples {
            let group = self.group(sample);
            match sample.aside.and_then(number::float).filter(|bound| !bound.is_nan()) {
                Some(bound) => self.points.push(Point { group, bound, value: sample.value }),
                None => self.refuse(group, "a bound that is no number", notes),
            }
        }
    }

    pub(super) fn add_sums(&mut self, samples: &[Sample<'a>], notes: &mut Notes) {
        for sample in samples {
            let group = self.group(sample);
            if self.list[group].sum.is_some() {
                self.repeated(group, notes);
            }
            self.list[group].sum.get_or_insert(sample.value);
        }
    }

    pub(super) fn add_counts(&mut self, samples: &[Sample<'a>], notes: &mut Notes) {
        for sample in samples {
            let group = self.group(sample);
            if self.list[group].count.is_some() {
                self.repeated(group, notes);
            }
            self.list[group].count.get_or_insert(sample.value);
        }
    }

    pub(super) fn summaries(mut self, arena: &'a Bump, notes: &mut Notes) -> Vec<Series<'a>> {
        self.sort_points(notes);
        let mut points = &self.points[..];
        let mut all = Vec::with_capacity(self.list.len());
        for (index, group) in self.list.iter().enumerate() {
            let own = take_points(&mut points, index);
            if group.is_broken {
                continue;
            }
            let quantiles = arena.alloc_slice_fill_iter(own.iter().map(|point| (point.bound, point.value)));
            let summary = arena.alloc(Summary { quantiles, sum: group.sum, count: group.count });
            all.push(group.series(Value::Summary(summary)));
        }
        all
    }

    pub(super) fn histograms(mut self, arena: &'a Bump, notes: &mut Notes) -> Vec<Series<'a>> {
        self.sort_points(notes);
        let mut points = &self.points[..];
        let mut all = Vec::with_capacity(self.list.len());
        for (index, group) in self.list.iter().enumerate() {
            let own = take_points(&mut points, index);
            if group.is_broken {
                continue;
            }
            let has_infinity = own.last().is_some_and(|last| last.bound == f64::INFINITY);
            // The format requires a bucket `+Inf`. If it is missing, it gets the value of the count.
            let missing = if has_infinity { None } else { group.count };
            if !has_infinity && missing.is_none() {
                notes.add(self.family, "neither a bucket +Inf nor a count", || {
                    example::without_values(self.family, group.labels)
                });
                continue;
            }
            let buckets = own.iter().map(|point| (point.bound, point.value));
            let buckets = buckets.chain(missing.map(|count| (f64::INFINITY, count)));
            let length = own.len() + usize::from(missing.is_some());
            let mut buckets =
                buckets.map(|(upper_bound, cumulative)| Bucket { upper_bound, cumulative, exemplar: None });
            let buckets = arena.alloc_slice_fill_with(length, |_| buckets.next().unwrap_or(NO_BUCKET));
            let histogram = Histogram { buckets, sum: group.sum, count: group.count, native: None };
            all.push(group.series(Value::Histogram(arena.alloc(histogram))));
        }
        all
    }

    /// Sorts by group and bound, and keeps the first one of equal bounds.
    fn sort_points(&mut self, notes: &mut Notes) {
        let order = |one: &Point, other: &Point| {
            // The order is total, because bounds are neither NaN nor -0.
            one.group.cmp(&other.group).then(one.bound.partial_cmp(&other.bound).unwrap_or(std::cmp::Ordering::Equal))
        };
        if !self.points.is_sorted_by(|one, other| order(one, other).is_lt()) {
            self.points.sort_by(order);
            let (family, groups) = (self.family, &self.list);
            self.points.dedup_by(|later, first| {
                let is_repeated = order(first, later).is_eq();
                if is_repeated {
                    notes
                        .add(family, "repeated series", || example::without_values(family, groups[first.group].labels));
                }
                is_repeated
            });
        }
    }

    /// The group of a sample. Its labels are usually the same slice as those of the previous sample or of the next group.
    fn group(&mut self, sample: &Sample<'a>) -> usize {
        let is_at = |index: usize| self.list.get(index).is_some_and(|group| std::ptr::eq(group.labels, sample.labels));
        self.last = if is_at(self.last) {
            self.last
        } else if is_at(self.last + 1) {
            self.last + 1
        } else {
            *self.by_labels.entry(sample.labels).or_insert_with(|| {
                let Sample { labels, timestamp, .. } = *sample;
                self.list.push(Group { labels, sum: None, count: None, timestamp, is_broken: false });
                self.list.len() - 1
            })
        };
        let group = &mut self.list[self.last];
        group.timestamp = group.timestamp.or(sample.timestamp);
        self.last
    }

    fn repeated(&self, group: usize, notes: &mut Notes) {
        notes.add(self.family, "repeated series", || example::without_values(self.family, self.list[group].labels));
    }

    fn refuse(&mut self, group: usize, reason: &'static str, notes: &mut Notes) {
        if !self.list[group].is_broken {
            self.list[group].is_broken = true;
            notes.add(self.family, reason, || example::without_values(self.family, self.list[group].labels));
        }
    }
}

impl<'a> Group<'a> {
    fn series(&self, value: Value<'a>) -> Series<'a> {
        Series { labels: self.labels, value, created: None, timestamp: self.timestamp }
    }
}

const NO_BUCKET: Bucket = Bucket { upper_bound: f64::INFINITY, cumulative: 0.0, exemplar: None };

/// Takes the points of a group from the front of the sorted points.
fn take_points<'p>(points: &mut &'p [Point], group: usize) -> &'p [Point] {
    let length = points.iter().take_while(|point| point.group == group).count();
    let (own, rest) = points.split_at(length);
    *points = rest;
    own
}
