//! Joins the families of one name into one family, with one type, help and unit.

use super::{
    SourcePage,
    part::Part,
    report::{MergeReport, Reason},
};
use crate::exposition::model::{Family, Kind, Series, Value};

/// The prefix of metrics that every process has, also the exporter
pub(super) const PROCESS_PREFIX: &str = "process_";
/// The prefix of metrics of all helpers
const HELPER_PREFIX: &str = "sidekit_";
/// The prefix of metrics that only this exporter sends
const RESERVED_PREFIX: &str = "sidekit_metrics_exporter_";

/// The families of all pages, sorted by name. Families of one name are in the order of the sources, the exporter's own first.
pub(super) fn parts(pages: Vec<SourcePage<'_>>) -> Vec<Part<'_>> {
    let mut parts = Vec::with_capacity(pages.iter().map(|page| page.families.len()).sum());
    for (source, page) in pages.into_iter().enumerate() {
        let is_own = page.is_own;
        parts.extend(page.families.into_iter().map(|family| Part { source, is_own, family }));
    }
    parts.retain(|part| !part.family.series.is_empty());
    // A stable sort, which is fast because most pages are sorted.
    parts.sort_by(|one, other| one.family.name.cmp(other.family.name).then(other.is_own.cmp(&one.is_own)));
    parts
}

/// Gives the parts of one name one type, help and unit. Series that cannot have the type are left out.
pub(super) fn settle(parts: &mut [Part], report: &mut MergeReport) {
    refuse_own_names(parts, report);
    if parts.len() < 2 {
        return;
    }
    let winner = winner(parts);
    let kind = joint_kind(parts, parts[winner].family.kind);
    let help = first_text(parts, winner, |family| family.help);
    let unit = first_text(parts, winner, |family| family.unit);
    for part in parts.iter_mut().filter(|part| !part.family.series.is_empty()) {
        let (sent, sent_help) = (part.family.kind, part.family.help);
        let before = part.family.series.len();
        if sent != kind {
            part.family.series.retain_mut(|series| become_kind(series, sent, kind));
        }
        let left_out = before - part.family.series.len();
        let name = part.family.name;
        if left_out > 0 {
            report.leave_out(part.source, name, Reason::TypeConflict, left_out, of_both(sent, kind));
        } else if sent != kind && sent != Kind::Unknown {
            report.note(part.source, name, Reason::TypeConflict, before, of_both(sent, kind));
        }
        if without_stop(sent_help) != without_stop(help) && !sent_help.is_empty() && left_out < before {
            report.note(
                part.source,
                name,
                Reason::HelpConflict,
                before - left_out,
                format!("{sent_help:?}, not {help:?}"),
            );
        }
        part.family.kind = kind;
        part.family.help = help;
        part.family.unit = unit;
    }
}

/// Joins the remaining parts into one family; `None` without series. Counts the series of each source on the page.
pub(super) fn join<'a>(parts: &mut [Part<'a>], report: &mut MergeReport) -> Option<Family<'a>> {
    for part in &*parts {
        report.sources[part.source].kept += part.family.series.len();
    }
    let total: usize = parts.iter().map(|part| part.family.series.len()).sum();
    let mut left = parts.iter_mut().map(|part| &mut part.family).filter(|family| !family.series.is_empty());
    let first = left.next()?;
    let mut series = std::mem::take(&mut first.series);
    series.reserve_exact(total - series.len());
    let family = Family { series, ..first.clone() };
    Some(left.fold(family, |mut family, next| {
        family.series.append(&mut next.series);
        family
    }))
}

fn refuse_own_names(parts: &mut [Part], report: &mut MergeReport) {
    let name = parts[0].family.name;
    let is_shared = name.starts_with(PROCESS_PREFIX) || name.starts_with(HELPER_PREFIX);
    let is_refused = name.starts_with(RESERVED_PREFIX) || parts[0].is_own && !is_shared;
    if is_refused {
        let others = parts.iter_mut().filter(|part| !part.is_own);
        others.for_each(|part| leave_out_all(part, report));
    }
}

fn leave_out_all(part: &mut Part, report: &mut MergeReport) {
    let series = std::mem::take(&mut part.family.series);
    report.leave_out(part.source, part.family.name, Reason::OwnMetric, series.len(), String::new());
}

/// The index of the first part with a type; otherwise of the first part.
fn winner(parts: &[Part]) -> usize {
    let says_type = |part: &Part| part.family.kind != Kind::Unknown && !part.family.series.is_empty();
    parts.iter().position(says_type).unwrap_or_default()
}

/// The joint type: that of the winner. A mix of types whose value is one plain number becomes a gauge, so that no series is lost,
/// for example where one app sends `build_info` as an info and another one as a gauge.
fn joint_kind(parts: &[Part], winner: Kind) -> Kind {
    let mut kinds = parts.iter().filter(|part| !part.family.series.is_empty()).map(|part| part.family.kind);
    if matches!(winner, Kind::Info | Kind::StateSet) && kinds.any(|kind| kind != winner && is_plain(kind)) {
        return Kind::Gauge;
    }
    winner
}

/// True for types whose value is one number that may go up and down.
fn is_plain(kind: Kind) -> bool {
    matches!(kind, Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet)
}

/// The first text that is not empty, from the winner on and then from the start.
fn first_text<'a>(parts: &[Part<'a>], winner: usize, text: impl Fn(&Family<'a>) -> &'a str) -> &'a str {
    let in_order = parts[winner..].iter().chain(&parts[..winner]);
    let mut texts = in_order.filter(|part| !part.family.series.is_empty()).map(|part| text(&part.family));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

/// The help without a full stop, because clients differ in it while the help is the same.
fn without_stop(help: &str) -> &str {
    help.trim_end().trim_end_matches('.')
}

/// Gives a series another type. False if it cannot have that type.
pub(super) fn become_kind(series: &mut Series, from: Kind, to: Kind) -> bool {
    match (to, series.value) {
        (Kind::Counter, Value::Number(number)) if from == Kind::Unknown => {
            series.value = Value::Counter(number, None);
            true
        }
        (to, Value::Number(_)) => is_plain(to),
        _ => false,
    }
}

fn of_both(sent: Kind, kept: Kind) -> String {
    format!("{}, not {}", sent.name(), kept.name())
}

#[cfg(test)]
mod tests;
