//! Applies the rules of a source to its page.
//!
//! A rule sees each sample as in Prometheus, for example `x_bucket` with `le`. A histogram or summary is renamed, labelled or
//! dropped as a whole. When rules treat its samples in different ways, the whole is left out.

mod clock;
mod samples;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use bumpalo::Bump;

use super::{
    join::become_kind,
    relabel::Rule,
    report::{MergeReport, Reason, labels_text},
};
use crate::exposition::model::{Family, Kind, Series};

use clock::Clock;
use samples::{Relabeller, Verdict};

/// The families after the rules: each name once, and no two series of a name with the same labels. There are none when the rules
/// take longer than until `end`, because a rule that was not applied may be one that drops a series.
pub(super) fn relabel<'a>(
    arena: &'a Bump,
    mut families: Vec<Family<'a>>,
    rules: &[Rule],
    source: usize,
    end: Instant,
    report: &mut MergeReport,
) -> Vec<Family<'a>> {
    let received = families.iter().map(|family| family.series.len()).sum();
    let mut relabeller = Relabeller::new(arena, rules, Clock::new(end));
    let mut tallies = Vec::new();
    let mut moved = Vec::new();
    let mut changed = BTreeSet::new();
    for (at, family) in families.iter_mut().enumerate() {
        let mut tally = Tally::default();
        relabeller.begin(family);
        family.series.retain_mut(|series| match relabeller.judge(series) {
            Verdict::Same => true,
            Verdict::Relabelled(name) if name == relabeller.name() => {
                changed.insert(at);
                true
            }
            Verdict::Relabelled(name) => {
                moved.push(Moved { name, from: at, series: *series });
                false
            }
            Verdict::LeftOut(reason, example) => {
                tally.add(reason, example);
                false
            }
        });
        if relabeller.is_late() {
            report.leave_out(source, family.name, Reason::SlowRules, received, "the rules came no further".to_owned());
            return Vec::new();
        }
        tallies.push((family.name, tally));
    }
    for (family, tally) in tallies {
        tally.report(source, family, report);
    }
    place(&mut families, moved, &mut changed, source, report);
    for at in changed {
        let family = &mut families[at];
        fit(family);
        leave_out_equal(family, source, report);
    }
    families
}

/// A series whose name a rule has changed
struct Moved<'a> {
    name: &'a str,
    from: usize,
    series: Series<'a>,
}

/// Moves renamed series to the families of their new names.
fn place<'a>(
    families: &mut Vec<Family<'a>>,
    moved: Vec<Moved<'a>>,
    changed: &mut BTreeSet<usize>,
    source: usize,
    report: &mut MergeReport,
) {
    if moved.is_empty() {
        return;
    }
    let mut places: HashMap<_, _> = families.iter().enumerate().map(|(at, family)| (family.name, at)).collect();
    for Moved { name, from, mut series } in moved {
        let kind = families[from].kind;
        let place = *places.entry(name).or_insert_with(|| {
            let old = &families[from];
            families.push(Family { name, kind, help: old.help, unit: old.unit, series: Vec::new() });
            families.len() - 1
        });
        let family = &mut families[place];
        if family.series.is_empty() {
            family.kind = kind;
        }
        if kind == family.kind || become_kind(&mut series, kind, family.kind) {
            family.series.push(series);
            changed.insert(place);
        } else {
            report.leave_out(source, name, Reason::TypeConflict, 1, labels_text(&series));
        }
    }
}

/// Removes the unit and the type that the new name or the new labels no longer allow.
fn fit(family: &mut Family) {
    let stem = family.name.strip_suffix("_total").or_else(|| family.name.strip_suffix("_info")).unwrap_or(family.name);
    if !stem.ends_with(family.unit) {
        family.unit = "";
    }
    let name = family.name;
    let has_state = |series: &Series| series.labels.iter().any(|label| label.name == name);
    let fits = match family.kind {
        Kind::Info => name.ends_with("_info"),
        Kind::StateSet => family.series.iter().all(has_state),
        _ => true,
    };
    if !fits {
        family.kind = Kind::Gauge;
    }
}

/// Leaves out all but the first of several series with the same labels.
fn leave_out_equal(family: &mut Family, source: usize, report: &mut MergeReport) {
    let mut seen = HashSet::with_capacity(family.series.len());
    let mut tally = Tally::default();
    family.series.retain(|series| {
        let is_new = seen.insert(series.labels);
        if !is_new {
            tally.add(Reason::EqualByRule, labels_text(series));
        }
        is_new
    });
    tally.report(source, family.name, report);
}

/// The series of one family that are left out, with the first example of each reason
#[derive(Default)]
struct Tally(Vec<(Reason, usize, String)>);

impl Tally {
    fn add(&mut self, reason: Reason, example: String) {
        match self.0.iter_mut().find(|(known, ..)| *known == reason) {
            Some((_, count, _)) => *count += 1,
            None => self.0.push((reason, 1, example)),
        }
    }

    fn report(self, source: usize, family: &str, report: &mut MergeReport) {
        for (reason, count, example) in self.0 {
            report.leave_out(source, family, reason, count, example);
        }
    }
}

#[cfg(test)]
mod tests;
