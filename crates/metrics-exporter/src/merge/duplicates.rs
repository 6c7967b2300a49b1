//! Series that two sources send: they get the label `source`, or the later one is refused.

use std::{cmp::Ordering, collections::HashSet, hash::RandomState};

use bumpalo::{Bump, collections::String};

use super::{
    join::PROCESS_PREFIX,
    memory::MergeMemory,
    part::Part,
    report::{MergeReport, Reason, labels_text},
};
use crate::exposition::model::{Family, Label, Series};

/// The label with the name of the source
const SOURCE: &str = "source";
/// The prefix for an existing label of that name, as Prometheus has it for labels that clash with the target's
const EXPORTED: &str = "exported_";
/// The number of series up to which comparing all pairs is faster than a hash table
const FEW: usize = 8;

/// The treatment of a series that two sources send
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnDuplicate {
    /// Every series of its name gets the label `source`.
    #[default]
    Label,
    /// The series of the later source is left out.
    Refuse,
}

/// Adds the label `source` to the exporter's own families whose names apps use too, so that the apps' series stay unchanged.
pub(super) fn label_own<'a>(arena: &'a Bump, families: &mut [Family<'a>], name: &'a str) {
    for family in families.iter_mut().filter(|family| family.name.starts_with(PROCESS_PREFIX)) {
        label(arena, family, name);
    }
}

/// Makes the labels of all series of one name different.
pub(super) fn tell_apart<'a>(
    arena: &'a Bump,
    parts: &mut [Part<'a>],
    names: &[&'a str],
    on_duplicate: OnDuplicate,
    memory: &mut MergeMemory,
    report: &mut MergeReport,
) {
    match on_duplicate {
        OnDuplicate::Label => tell_apart_by_label(arena, parts, names, memory, report),
        OnDuplicate::Refuse => refuse(parts, names, memory, report),
    }
}

fn tell_apart_by_label<'a>(
    arena: &'a Bump,
    parts: &mut [Part<'a>],
    names: &[&'a str],
    memory: &mut MergeMemory,
    report: &mut MergeReport,
) {
    let name = parts[0].family.name;
    if !memory.is_labelled(name) {
        if parts.len() < 2 || repeated(parts, memory.hasher()).is_empty() {
            return;
        }
        memory.set_labelled(name);
    }
    // After labelling, series can repeat only where a source already sends a label `source`, or the exporter has the name.
    let mut may_repeat = parts.iter().any(|part| part.is_own);
    for part in parts.iter_mut() {
        // The exporter's own process metrics have the label already.
        if !part.is_own || !name.starts_with(PROCESS_PREFIX) {
            may_repeat |= label(arena, &mut part.family, names[part.source]);
            report.sources[part.source].labelled += part.family.series.len();
        }
    }
    if may_repeat {
        let repeated = repeated(parts, memory.hasher());
        leave_out(parts, &repeated, Reason::Duplicate, report);
    }
}

/// Leaves out the series of the later source. A series that was refused once stays refused while the earlier source is down,
/// because otherwise one series would alternate between two sources.
fn refuse(parts: &mut [Part], names: &[&str], memory: &mut MergeMemory, report: &mut MergeReport) {
    let name = parts[0].family.name;
    if memory.has_refused(name) {
        for part in parts.iter_mut().filter(|part| !part.is_own) {
            let is_refused = |series: &Series| memory.is_refused(name, names[part.source], series.labels);
            let refused: Vec<_> = (0..).zip(&part.family.series).filter(|(_, series)| is_refused(series)).collect();
            let refused: Vec<_> = refused.into_iter().map(|(at, _)| at).collect();
            leave_out_of(part, &refused, Reason::Duplicate, report);
        }
    }
    if parts.len() < 2 {
        return;
    }
    let repeated = repeated(parts, memory.hasher());
    for (nth, at) in &repeated {
        let part = &parts[*nth];
        memory.set_refused(name, names[part.source], part.family.series[*at].labels);
    }
    leave_out(parts, &repeated, Reason::Duplicate, report);
}

/// The series that repeat the labels of an earlier one, as index of the part and of the series.
fn repeated(parts: &[Part], hasher: &RandomState) -> Vec<(usize, usize)> {
    let all = || {
        let series = |(nth, part): (usize, &'_ Part)| (nth, part.family.series.len());
        parts.iter().enumerate().map(series).flat_map(|(nth, count)| (0..count).map(move |at| (nth, at)))
    };
    let labels = |(nth, at): (usize, usize)| parts[nth].family.series[at].labels;
    let count = parts.iter().map(|part| part.family.series.len()).sum();
    if count <= FEW {
        let is_repeated = |(nth, place)| all().take(nth).any(|earlier| labels(earlier) == labels(place));
        return all().enumerate().filter(|numbered| is_repeated(*numbered)).map(|(_, place)| place).collect();
    }
    let mut seen: HashSet<&[Label], RandomState> = HashSet::with_capacity_and_hasher(count, hasher.clone());
    all().filter(|place| !seen.insert(labels(*place))).collect()
}

fn leave_out(parts: &mut [Part], repeated: &[(usize, usize)], reason: Reason, report: &mut MergeReport) {
    for of_part in repeated.chunk_by(|(one, _), (other, _)| one == other) {
        let places: Vec<_> = of_part.iter().map(|(_, at)| *at).collect();
        leave_out_of(&mut parts[of_part[0].0], &places, reason, report);
    }
}

/// Leaves out the series at these indexes, which are sorted.
fn leave_out_of(part: &mut Part, places: &[usize], reason: Reason, report: &mut MergeReport) {
    let Some(first) = places.first() else { return };
    let example = labels_text(&part.family.series[*first]);
    let mut places = places.iter().peekable();
    let mut at = 0;
    let before = part.family.series.len();
    part.family.series.retain(|_| {
        at += 1;
        places.next_if(|place| **place == at - 1).is_none()
    });
    report.leave_out(part.source, part.family.name, reason, before - part.family.series.len(), example);
}

/// Adds the label `source` to every series. True if a series already had that label or the one with the prefix.
fn label<'a>(arena: &'a Bump, family: &mut Family<'a>, source: &'a str) -> bool {
    let mut moved = false;
    for series in &mut family.series {
        let labels = series.labels;
        let at = labels.partition_point(|label| label.name < SOURCE);
        let own = Label { name: SOURCE, value: source };
        moved |= labels.iter().any(|label| label.name.ends_with(SOURCE));
        series.labels = if labels.get(at).is_some_and(|label| label.name == SOURCE) {
            replace(arena, labels, at, own)
        } else {
            arena.alloc_slice_fill_with(labels.len() + 1, |nth| match nth.cmp(&at) {
                Ordering::Less => labels[nth],
                Ordering::Equal => own,
                Ordering::Greater => labels[nth - 1],
            })
        };
    }
    moved
}

/// The labels with `own` at index `at`; the label that was there gets a free name with the prefix.
fn replace<'a>(arena: &'a Bump, labels: &[Label<'a>], at: usize, own: Label<'a>) -> &'a [Label<'a>] {
    let mut name = String::from_str_in(labels[at].name, arena);
    while labels.iter().any(|label| label.name == name) {
        name.insert_str(0, EXPORTED);
    }
    let exported = Label { name: name.into_bump_str(), value: labels[at].value };
    let new = arena.alloc_slice_fill_with(labels.len() + 1, |nth| if nth == 0 { exported } else { labels[nth - 1] });
    new[at + 1] = own;
    new.sort_unstable_by_key(|label| label.name);
    new
}

#[cfg(test)]
mod tests;
