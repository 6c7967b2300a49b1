//! Caps on the number of series: by name, by source, and for the page.
//!
//! A cap that several sources share is divided so that a source with few series keeps all of them, and only the largest lose some.
//! Within a source the first series stay. The exporter's own series are never cut, but count for the cap of the page.

use super::{
    part::Part,
    report::{MergeReport, Reason, labels_text},
};
use crate::exposition::model::{Family, Kind, Series};

/// The limits. A series counts as its number of lines in text format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// The most series of one source
    pub(crate) source: usize,
    /// The most series of one name
    pub(crate) metric: usize,
    /// The most series of the page
    pub(crate) page: usize,
}

/// Applies the cap of a name to its parts.
pub(super) fn cap_metric(parts: &mut [Part], caps: &Caps, report: &mut MergeReport) {
    if parts.iter().map(|part| part.family.series.len()).sum::<usize>() == 0 {
        return;
    }
    let weights: Vec<_> = parts.iter().map(capped_weight).collect();
    if weights.iter().sum::<usize>() <= caps.metric {
        return;
    }
    for (part, mut share) in parts.iter_mut().zip(fair_shares(&weights, caps.metric)) {
        if !part.is_own {
            cut(part, &mut share, Reason::MetricLimit, report);
        }
    }
}

/// Applies the caps of each source and of the page.
pub(super) fn cap_sources(parts: &mut [Part], caps: &Caps, report: &mut MergeReport) {
    let mut weights = vec![0; report.sources.len()];
    let mut own = 0;
    for part in &*parts {
        weights[part.source] += capped_weight(part);
        own += if part.is_own { weight(&part.family) } else { 0 };
    }
    if weights.iter().any(|weight| *weight > caps.source) {
        let limits = vec![caps.source; weights.len()];
        cut_all(parts, limits, Reason::SourceLimit, report);
        for weight in &mut weights {
            *weight = caps.source.min(*weight);
        }
    }
    let left = caps.page.saturating_sub(own);
    if weights.iter().sum::<usize>() > left {
        cut_all(parts, fair_shares(&weights, left), Reason::PageLimit, report);
    }
}

/// Divides a limit fairly: no share exceeds the wanted number, and all shares below it are equal, except that the first ones get
/// the remainder of the division.
fn fair_shares(wanted: &[usize], limit: usize) -> Vec<usize> {
    let mut by_size: Vec<_> = (0..wanted.len()).collect();
    by_size.sort_by_key(|at| (wanted[*at], usize::MAX - at));
    let mut shares = vec![0; wanted.len()];
    let mut left = limit;
    for (nth, at) in by_size.iter().enumerate() {
        shares[*at] = wanted[*at].min(left / (wanted.len() - nth));
        left -= shares[*at];
    }
    shares
}

fn cut_all(parts: &mut [Part], mut allowances: Vec<usize>, reason: Reason, report: &mut MergeReport) {
    for part in parts.iter_mut().filter(|part| !part.is_own) {
        cut(part, &mut allowances[part.source], reason, report);
    }
}

/// Keeps the first series. After the first one that does not fit all others are cut, so that series do not alternate.
fn cut(part: &mut Part, allowance: &mut usize, reason: Reason, report: &mut MergeReport) {
    let family = &mut part.family;
    let whole = weight(family);
    if whole <= *allowance {
        *allowance -= whole;
        return;
    }
    let mut kept = 0;
    for series in &family.series {
        let Some(left) = allowance.checked_sub(series.lines()) else { break };
        *allowance = left;
        kept += 1;
    }
    *allowance = 0;
    let example = labels_text(&family.series[kept]);
    report.leave_out(part.source, family.name, reason, family.series.len() - kept, example);
    family.series.truncate(kept);
}

/// The weight of a part that a cap can cut; 0 for the exporter's own.
fn capped_weight(part: &Part) -> usize {
    if part.is_own { 0 } else { weight(&part.family) }
}

fn weight(family: &Family) -> usize {
    match family.kind {
        Kind::Summary | Kind::Histogram | Kind::GaugeHistogram => family.series.iter().map(Series::lines).sum(),
        _ => family.series.len(),
    }
}

#[cfg(test)]
mod tests;
