//! Series of an OpenMetrics family that form one point. The states of a state set must stand together and have one time. Readers
//! treat all infos of a family as one point too, because no label separates them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::exposition::{
    encode::fitness::Fit,
    example,
    model::{Kind, Label, Series},
    notes::Notes,
};

/// Moves the series of each point together, and leaves out those whose time differs from that of the first one.
pub(super) fn put_together(fit: &mut Fit, notes: &mut Notes) {
    match fit.kind {
        Kind::StateSet => {
            let mut points: HashMap<Vec<Label>, (usize, Option<i64>), RandomState> = HashMap::default();
            let mut placed = Vec::with_capacity(fit.series.len());
            for series in fit.series.drain(..) {
                let others = series.labels.iter().filter(|label| label.name != fit.name).copied().collect();
                let next = points.len();
                let (place, time) = *points.entry(others).or_insert((next, series.timestamp));
                if series.timestamp == time {
                    placed.push((place, series));
                } else {
                    leave_out(fit.name, series, notes);
                }
            }
            placed.sort_by_key(|(place, _)| *place);
            fit.series.extend(placed.into_iter().map(|(_, series)| series));
        }
        Kind::Info => {
            let has_time = fit.series.first().is_some_and(|first| first.timestamp.is_some());
            fit.series.retain(|series| {
                let is_same = series.timestamp.is_some() == has_time;
                if !is_same {
                    leave_out(fit.name, series, notes);
                }
                is_same
            });
        }
        _ => {}
    }
}

fn leave_out(family: &str, series: &Series, notes: &mut Notes) {
    notes.add(family, "times that differ in one point", || example::of(family, series.labels));
}
