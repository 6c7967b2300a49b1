//! Families `x_created` of text format 0.0.4, in which some clients (for example Python's) send the times of creation of `x`.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::exposition::model::{Family, Kind, Label, Series, Value};

/// Moves the times of `x_created` to the series of `x_total` or `x` with the same labels, if each time has such a series.
pub(super) fn fold(families: &mut Vec<Family<'_>>) {
    if !families.iter().any(is_created) {
        return;
    }
    let mut by_stem: HashMap<&str, usize, RandomState> = HashMap::default();
    for (index, family) in families.iter().enumerate() {
        if let Some(stem) = stem(family) {
            by_stem.entry(stem).or_insert(index);
        }
    }
    for index in 0..families.len() {
        let partner = families[index].name.strip_suffix("_created").and_then(|stem| by_stem.get(stem)).copied();
        if let Some(partner) = partner
            && is_created(&families[index])
            && let Some(times) = times(&families[partner].series, &families[index].series)
        {
            for (series, seconds) in times {
                families[partner].series[series].created = Some(seconds);
            }
            families[index].series.clear();
        }
    }
    families.retain(|family| !family.series.is_empty());
}

fn is_created(family: &Family) -> bool {
    family.kind == Kind::Gauge && family.name.ends_with("_created")
}

/// The name before `_created`.
fn stem<'a>(family: &Family<'a>) -> Option<&'a str> {
    match family.kind {
        Kind::Counter => family.name.strip_suffix("_total"),
        Kind::Summary | Kind::Histogram => Some(family.name),
        _ => None,
    }
}

/// The index of the series that each time belongs to; `None` if one belongs to no series.
fn times(partners: &[Series], times: &[Series]) -> Option<Vec<(usize, f64)>> {
    let mut by_labels: HashMap<&[Label], usize, RandomState> = HashMap::default();
    by_labels.extend(partners.iter().enumerate().map(|(index, series)| (series.labels, index)));
    let place = |time: &Series| match time.value {
        Value::Number(seconds) if seconds.is_finite() => Some((*by_labels.get(time.labels)?, seconds)),
        _ => None,
    };
    times.iter().map(place).collect()
}
