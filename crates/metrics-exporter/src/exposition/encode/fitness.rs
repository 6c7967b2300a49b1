//! The families and series that a text format can hold. Pure.
//!
//! A family is declared as another type where that keeps it on the page. For example, OpenMetrics cannot have a gauge `x` and a
//! counter `x_total`, because both would be the family `x`; the counter becomes an unknown `x_total`. Other families and series
//! that do not fit are left out, with a note.

mod points;

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::exposition::{
    encode::claims::{self, CLAIMED, Claims},
    example,
    model::{Family, Kind, Series, Value},
    notes::Notes,
    openmetrics_rules::{self, NATIVE_ONLY, is_unit_of, with_allowed_totals},
    page_format::PageFormat,
};

/// A family in the form that the format can hold
pub(super) struct Fit<'f, 'a> {
    /// The name in `# TYPE`
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) help: &'a str,
    pub(super) unit: &'a str,
    /// True when the times of creation may be written, as `x_created`
    pub(super) has_created: bool,
    pub(super) series: Vec<&'f Series<'a>>,
}

/// The families that fit, in their order. Of two that use the same name, the first one stays.
pub(super) fn fit<'f, 'a>(families: &'f [Family<'a>], format: PageFormat, notes: &mut Notes) -> Vec<Fit<'f, 'a>> {
    let mut names = match format {
        PageFormat::OpenMetrics => fixed_names(families),
        _ => HashSet::default(),
    };
    let mut claims = Claims::default();
    let mut fits = Vec::with_capacity(families.len());
    for family in families {
        let mut fit = match format {
            PageFormat::OpenMetrics => in_openmetrics(family, &names),
            _ => in_text(family),
        };
        for series in &family.series {
            match judge(family, &fit, format, series) {
                Ok(()) => fit.series.push(series),
                Err(reason) => notes.add(family.name, reason, || example::of(family.name, series.labels)),
            }
        }
        if format == PageFormat::OpenMetrics {
            points::put_together(&mut fit, notes);
        }
        if fit.series.is_empty() {
            continue;
        }
        let suffixes = match format {
            PageFormat::OpenMetrics => openmetrics_rules::suffixes(fit.kind),
            _ => claims::suffixes(fit.kind),
        };
        if !claims.take(fit.name, suffixes) {
            notes.add_many(family.name, CLAIMED, fit.series.len(), || family.name.to_owned());
            continue;
        }
        names.insert(fit.name);
        if format == PageFormat::Text {
            fit.has_created = claims_created(&fit, &mut claims);
        }
        fits.push(fit);
    }
    fits
}

/// The stem of the sample names: for a counter the name without `_total`.
pub(super) fn stem<'a>(fit: &Fit<'_, 'a>) -> &'a str {
    if fit.kind == Kind::Counter { fit.name.strip_suffix("_total").unwrap_or(fit.name) } else { fit.name }
}

/// The names that their families cannot change.
fn fixed_names<'a>(families: &[Family<'a>]) -> HashSet<&'a str, RandomState> {
    families.iter().filter(|family| open_name(family) == family.name).map(|family| family.name).collect()
}

/// The name of the family in OpenMetrics, where counters and infos have no suffix.
fn open_name<'a>(family: &Family<'a>) -> &'a str {
    let stem = match family.kind {
        Kind::Counter => family.name.strip_suffix("_total"),
        Kind::Info => family.name.strip_suffix("_info"),
        _ => None,
    };
    stem.filter(|stem| !stem.is_empty()).unwrap_or(family.name)
}

fn in_openmetrics<'f, 'a>(family: &Family<'a>, taken: &HashSet<&str, RandomState>) -> Fit<'f, 'a> {
    let name = open_name(family);
    let has_suffix = name != family.name;
    let (name, kind) = match family.kind {
        Kind::Counter if !has_suffix || taken.contains(name) => (family.name, Kind::Unknown),
        Kind::Info if !has_suffix || taken.contains(name) => (family.name, Kind::Gauge),
        kind => (name, kind),
    };
    let unit = if is_unit_of(family.unit, name, kind) { family.unit } else { "" };
    Fit { name, kind, help: family.help, unit, has_created: true, series: Vec::with_capacity(family.series.len()) }
}

fn in_text<'f, 'a>(family: &Family<'a>) -> Fit<'f, 'a> {
    let series = Vec::with_capacity(family.series.len());
    Fit { name: family.name, kind: family.kind, help: family.help, unit: "", has_created: false, series }
}

fn judge(family: &Family, fit: &Fit, format: PageFormat, series: &Series) -> Result<(), &'static str> {
    if format == PageFormat::Text {
        return judge_in_text(family, series);
    }
    match series.value {
        // The family is declared as another type, which allows any value.
        Value::Counter(..) | Value::Number(_) if fit.kind != family.kind => {
            openmetrics_rules::judge_labels(series.labels)
        }
        Value::Histogram(histogram) => {
            let histogram = with_allowed_totals(histogram, fit.kind);
            openmetrics_rules::judge(fit.name, fit.kind, &Series { value: Value::Histogram(&histogram), ..*series })
        }
        _ => openmetrics_rules::judge(fit.name, fit.kind, series),
    }
}

fn judge_in_text(family: &Family, series: &Series) -> Result<(), &'static str> {
    if series.timestamp.is_some_and(|milliseconds| milliseconds < 0) {
        return Err("a time before 1970");
    }
    openmetrics_rules::judge_own_label(series)?;
    match (series.value, family.kind) {
        (Value::Histogram(histogram), Kind::Histogram | Kind::GaugeHistogram) => {
            if histogram.buckets.is_empty() {
                Err(NATIVE_ONLY)
            } else {
                Ok(())
            }
        }
        (Value::Summary(_), Kind::Summary)
        | (Value::Counter(..), Kind::Counter)
        | (Value::Number(_), Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet) => Ok(()),
        _ => Err("a value that is not of the family's type"),
    }
}

/// Claims the name `x_created`, if it is needed and free.
fn claims_created<'a>(fit: &Fit<'_, 'a>, claims: &mut Claims<'a>) -> bool {
    let has_stem = fit.kind != Kind::Counter || fit.name.ends_with("_total");
    has_stem && fit.series.iter().any(|series| series.created.is_some()) && claims.take(stem(fit), &["_created"])
}
