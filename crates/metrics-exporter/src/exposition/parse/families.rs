//! Makes families of the samples of a page, after all types are known.

use std::collections::HashSet;

use bumpalo::Bump;
use foldhash::fast::RandomState;

use crate::exposition::{
    example,
    model::{Family, Kind, Label, Series, Value},
    notes::Notes,
    page::{Bounds, Page},
    parse::{
        created,
        draft::{Draft, Metric, Sample, aside},
        groups::Groups,
    },
};

/// Makes the page of all samples.
pub(super) fn page<'a>(arena: &'a Bump, mut draft: Draft<'a>, bounds: &Bounds) -> Page<'a> {
    let places: Vec<_> = (0..draft.metrics.len()).map(|index| owner(&draft, index)).collect();
    let mut parts: Vec<Parts> = Vec::new();
    parts.resize_with(draft.metrics.len(), Parts::default);
    for (index, place) in places.into_iter().enumerate() {
        let samples = std::mem::take(&mut draft.metrics[index].samples);
        match place {
            None => parts[index].own = samples,
            Some((owner, Part::Bucket)) => parts[owner].buckets = samples,
            Some((owner, Part::Sum)) => parts[owner].sums = samples,
            Some((owner, Part::Count)) => parts[owner].counts = samples,
        }
    }
    let mut families = Vec::with_capacity(draft.metrics.len());
    for (metric, parts) in draft.metrics.iter().zip(parts) {
        let family = family(arena, metric, parts, &mut draft.notes);
        if !family.series.is_empty() {
            families.push(family);
        }
    }
    created::fold(&mut families);
    Page { families, notes: draft.notes.into_vec(), cost: draft.budget.cost(bounds) }
}

/// The samples of a family by their suffixes
#[derive(Default)]
struct Parts<'a> {
    own: Vec<Sample<'a>>,
    buckets: Vec<Sample<'a>>,
    sums: Vec<Sample<'a>>,
    counts: Vec<Sample<'a>>,
}

#[derive(Clone, Copy)]
enum Part {
    Bucket,
    Sum,
    Count,
}

const PARTS: [(&str, Part); 3] = [("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)];

/// The histogram or summary that the metric is a part of; `None` for a metric with a type of its own.
fn owner(draft: &Draft, index: usize) -> Option<(usize, Part)> {
    let metric = &draft.metrics[index];
    if metric.kind.is_some() {
        return None;
    }
    let (base, part) = PARTS.iter().find_map(|(suffix, part)| Some((metric.name.strip_suffix(suffix)?, *part)))?;
    let owner = *draft.by_name.get(base)?;
    let is_part = match draft.metrics[owner].kind {
        Some(Kind::Histogram) => true,
        Some(Kind::Summary) => !matches!(part, Part::Bucket),
        _ => false,
    };
    is_part.then_some((owner, part))
}

fn family<'a>(arena: &'a Bump, metric: &Metric<'a>, parts: Parts<'a>, notes: &mut Notes) -> Family<'a> {
    let kind = metric.kind.unwrap_or(Kind::Unknown);
    let series = match kind {
        Kind::Histogram | Kind::Summary => groups(arena, metric.name, kind, parts, notes),
        _ => {
            let samples = set_aside(arena, metric.name, "", parts.own);
            numbers(metric.name, kind, &samples, notes)
        }
    };
    Family { name: metric.name, kind, help: metric.help.unwrap_or_default(), unit: "", series }
}

/// Makes histograms or summaries.
fn groups<'a>(arena: &'a Bump, name: &'a str, kind: Kind, parts: Parts<'a>, notes: &mut Notes) -> Vec<Series<'a>> {
    let mut groups = Groups::new(name, parts.counts.len());
    let others = if kind == Kind::Histogram {
        groups.add_points(&parts.buckets, notes);
        parts.own
    } else {
        let own = set_aside(arena, name, "quantile", parts.own);
        let (quantiles, others): (Vec<_>, Vec<_>) = own.into_iter().partition(|sample| sample.aside.is_some());
        groups.add_points(&quantiles, notes);
        others
    };
    for sample in others {
        notes.add(name, "no part of a histogram or summary", || example::without_values(name, sample.labels));
    }
    groups.add_sums(&set_aside(arena, "_sum", "", parts.sums), notes);
    groups.add_counts(&set_aside(arena, "_count", "", parts.counts), notes);
    if kind == Kind::Histogram { groups.histograms(arena, notes) } else { groups.summaries(arena, notes) }
}

/// Makes series of one sample each.
fn numbers<'a>(name: &'a str, kind: Kind, samples: &[Sample<'a>], notes: &mut Notes) -> Vec<Series<'a>> {
    let mut seen: HashSet<&[Label], RandomState> = HashSet::default();
    let must_search = samples.len() > 1;
    if must_search {
        seen.reserve(samples.len());
    }
    let mut series = Vec::with_capacity(samples.len());
    for sample in samples {
        if must_search && !seen.insert(sample.labels) {
            notes.add(name, "repeated series", || example::without_values(name, sample.labels));
            continue;
        }
        let value = match kind {
            Kind::Counter => Value::Counter(sample.value, None),
            _ => Value::Number(sample.value),
        };
        series.push(Series { labels: sample.labels, value, created: None, timestamp: sample.timestamp });
    }
    series
}

/// Sets the label `wanted` aside instead of the one that was set aside by the metric's name. Only unusual pages need a new slice.
fn set_aside<'a>(arena: &'a Bump, name: &str, wanted: &str, mut samples: Vec<Sample<'a>>) -> Vec<Sample<'a>> {
    let was = aside(name);
    if was == wanted {
        return samples;
    }
    for sample in &mut samples {
        let was = sample.aside.map(|value| Label { name: was, value });
        let is_wanted = sample.labels.iter().find(|label| label.name == wanted);
        if was.is_none() && is_wanted.is_none() {
            continue;
        }
        let mut labels: Vec<_> =
            sample.labels.iter().filter(|label| label.name != wanted).copied().chain(was).collect();
        labels.sort_unstable();
        *sample =
            Sample { labels: arena.alloc_slice_copy(&labels), aside: is_wanted.map(|label| label.value), ..*sample };
    }
    samples
}
