//! Merging: makes one page of the pages of all sources, with each series once.
//!
//! Invariants: the result depends on the pages and on the duplicates of earlier pages only, not on the order in which sources
//! answered; a series that is left out is counted with its source and the reason.

mod caps;
mod cardinality;
mod duplicates;
mod join;
mod memory;
#[cfg(test)]
mod pages;
mod part;
pub(crate) mod relabel;
mod relabelling;
mod report;

use std::time::{Duration, Instant};

use bumpalo::Bump;

use crate::exposition::model::Family;

use part::Part;

pub(crate) use caps::Caps;
pub(crate) use duplicates::OnDuplicate;
pub(crate) use memory::MergeMemory;
pub(crate) use relabel::Rule;
pub(crate) use report::{MergeReport, Overflow};

/// The parsed page of one source
#[derive(Debug)]
pub(crate) struct SourcePage<'a> {
    /// Unique among the sources; the value of the label `source`
    pub(crate) name: &'a str,
    /// Each name once, and no two series of one family with the same labels
    pub(crate) families: Vec<Family<'a>>,
    /// The rules of the source, then those for all sources
    pub(crate) rules: &'a [Rule],
    /// True for the exporter's own metrics, which come before all others and have no cap
    pub(crate) is_own: bool,
}

/// The caps, and the treatment of duplicates
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeSettings {
    pub(crate) on_duplicate: OnDuplicate,
    pub(crate) caps: Caps,
    /// For the rules of all sources together, because they run on the job's thread
    pub(crate) rule_time: Duration,
}

/// The page of the whole pod
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    /// Sorted by name, each name once, each with at least one series
    pub(crate) families: Vec<Family<'a>>,
    pub(crate) report: MergeReport,
}

/// Merges the pages of all sources, which are in the order of the configuration.
pub(crate) fn merge<'a>(
    arena: &'a Bump,
    mut pages: Vec<SourcePage<'a>>,
    settings: &MergeSettings,
    memory: &mut MergeMemory,
) -> Merged<'a> {
    let mut report = MergeReport::of(&pages);
    let names: Vec<_> = pages.iter().map(|page| page.name).collect();
    relabel(arena, &mut pages, settings.rule_time, &mut report);
    let mut parts = join::parts(pages);
    // Settle types before caps, so that series that are left out anyway do not count for a cap.
    for parts in of_each_name(&mut parts) {
        join::settle(parts, &mut report);
        report.cardinality.add(parts);
        caps::cap_metric(parts, &settings.caps, &mut report);
    }
    caps::cap_sources(&mut parts, &settings.caps, &mut report);
    let mut families = Vec::new();
    for parts in of_each_name(&mut parts) {
        duplicates::tell_apart(arena, parts, &names, settings.on_duplicate, memory, &mut report);
        families.extend(join::join(parts, &mut report));
    }
    report.is_memory_full = memory.is_full();
    Merged { families, report }
}

/// Runs the rules of each source. Each has an equal share of the time that is left, so that slow rules of one source take no time
/// from those of the others.
fn relabel<'a>(arena: &'a Bump, pages: &mut [SourcePage<'a>], time: Duration, report: &mut MergeReport) {
    let end = Instant::now() + time;
    let has_rules = |page: &SourcePage| !page.is_own && !page.rules.is_empty();
    let mut waiting = pages.iter().fold(0_u32, |count, page| count + u32::from(has_rules(page)));
    for (source, page) in pages.iter_mut().enumerate() {
        if page.is_own {
            duplicates::label_own(arena, &mut page.families, page.name);
        } else if has_rules(page) {
            let now = Instant::now();
            let share = end.saturating_duration_since(now) / waiting.max(1);
            let families = std::mem::take(&mut page.families);
            page.families = relabelling::relabel(arena, families, page.rules, source, now + share, report);
            waiting -= 1;
        }
    }
}

fn of_each_name<'p, 'a>(parts: &'p mut [Part<'a>]) -> impl Iterator<Item = &'p mut [Part<'a>]> {
    parts.chunk_by_mut(|one, other| one.family.name == other.family.name)
}
