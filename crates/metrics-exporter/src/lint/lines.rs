//! Faults that only the lines of a text page show: families in pieces, and missing or late metadata.

use std::collections::HashMap;

use crate::{
    exposition::{
        model::{Family, Kind},
        page_format::PageFormat,
    },
    lint::{findings::Findings, naming::NO_HELP},
};

/// The lines of one family
#[derive(Default)]
struct Seen {
    types: usize,
    has_help: bool,
    is_in_pieces: bool,
    /// True when a line of metadata stands behind samples
    is_late: bool,
    samples: usize,
    /// The number of lines of `_count`
    counts: usize,
    /// The number of buckets `+Inf`
    infinities: usize,
}

/// The lines of a page, by family
#[derive(Default)]
pub(super) struct PageLines(HashMap<String, Seen>);

impl PageLines {
    /// Reads the lines of a page. `families` are those that the parser made of it.
    pub(super) fn of(text: &str, format: PageFormat, families: &[Family]) -> Self {
        let owners = owners(families, format);
        let mut seen: HashMap<String, Seen> = HashMap::new();
        let mut last = "";
        for line in text.lines() {
            let Some((name, keyword)) = name_of(line) else { continue };
            let family = owners.get(name).copied().unwrap_or(name);
            let is_again = seen.contains_key(family) && family != last;
            let entry = seen.entry(family.to_owned()).or_default();
            entry.is_in_pieces |= is_again;
            last = family;
            if keyword.is_some() {
                entry.types += usize::from(keyword == Some("TYPE"));
                entry.has_help |= keyword == Some("HELP");
                entry.is_late |= entry.samples > 0;
                continue;
            }
            entry.samples += 1;
            entry.counts += usize::from(name != family && name.ends_with("_count"));
            entry.infinities +=
                usize::from(name != family && name.ends_with("_bucket") && line.contains("le=\"+Inf\""));
        }
        Self(seen)
    }

    pub(super) fn judge(&self, family: &Family, findings: &mut Findings) {
        if let Some(seen) = self.0.get(family.name) {
            judge(family, seen, findings);
        }
    }

    /// Adds findings for the metrics that the parser joined to others, such as `x_created` beside the counter `x_total`.
    pub(super) fn judge_joined(&self, families: &[Family], findings: &mut Findings) {
        let is_family = |name: &str| families.iter().any(|family| family.name == name);
        let is_joined = |(name, seen): &(&String, &Seen)| seen.types > 0 && seen.samples > 0 && !is_family(name);
        let mut joined: Vec<_> = self.0.iter().filter(is_joined).collect();
        joined.sort_by_key(|(name, _)| *name);
        for (name, _) in joined.into_iter().filter(|(_, seen)| !seen.has_help) {
            findings.add(name, NO_HELP);
        }
    }
}

fn judge(family: &Family, seen: &Seen, findings: &mut Findings) {
    if seen.types == 0 {
        findings.add(family.name, "no type: add a line # TYPE before its first series");
    }
    if seen.types > 1 {
        findings.add(family.name, "a second line # TYPE: leave it out");
    }
    if seen.is_in_pieces {
        findings.add(family.name, "a family in pieces: write all its lines one after the other");
    }
    if seen.is_late {
        findings.add(family.name, "a line # HELP or # TYPE behind series: write it before the first one");
    }
    if family.kind == Kind::Histogram && seen.infinities < seen.counts {
        findings.add(family.name, "a histogram without its last bucket: add le=\"+Inf\" with the value of _count");
    }
}

/// The family of each name that a line can have.
fn owners<'a>(families: &[Family<'a>], format: PageFormat) -> HashMap<String, &'a str> {
    let mut owners = HashMap::new();
    for family in families {
        let is_openmetrics = format == PageFormat::OpenMetrics;
        let stem = match family.kind {
            Kind::Counter if is_openmetrics => family.name.strip_suffix("_total"),
            Kind::Info if is_openmetrics => family.name.strip_suffix("_info"),
            _ => None,
        };
        let stem = stem.unwrap_or(family.name);
        let suffixes: &[&str] = match family.kind {
            Kind::Histogram | Kind::GaugeHistogram => &["_bucket", "_sum", "_count", "_gsum", "_gcount"],
            Kind::Summary => &["_sum", "_count"],
            _ => &[],
        };
        for suffix in suffixes {
            owners.insert(format!("{stem}{suffix}"), family.name);
        }
        if is_openmetrics {
            owners.insert(format!("{stem}_created"), family.name);
        }
        owners.insert(stem.to_owned(), family.name);
    }
    // A name that is a family itself is no part of another family.
    for family in families {
        owners.insert(family.name.to_owned(), family.name);
    }
    owners
}

/// The name of the metric in this line, and the keyword if it is a line of metadata.
fn name_of(line: &str) -> Option<(&str, Option<&str>)> {
    let line = line.trim_start_matches([' ', '\t']);
    let Some(comment) = line.strip_prefix('#') else {
        let end = line.find(|character| "{ \t".contains(character))?;
        return (end > 0).then_some((&line[..end], None));
    };
    let mut words = comment.split_ascii_whitespace();
    let keyword = words.next().filter(|keyword| ["HELP", "TYPE", "UNIT"].contains(keyword))?;
    Some((words.next()?, Some(keyword)))
}
