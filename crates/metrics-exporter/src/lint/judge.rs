//! Judges a whole page.

use std::collections::HashSet;

use bumpalo::Bump;

use crate::{
    exposition::{
        encode::encode,
        model::Family,
        openmetrics_rules::{NATIVE_ONLY, RESERVED_LABEL},
        page::{Bounds, PageFault},
        page_format::PageFormat,
        parse::parse,
    },
    lint::{
        findings::Findings, identifiers::judge_identifiers, lines::PageLines, naming::judge_naming, units::judge_units,
        values::judge_values,
    },
};

const EOF: &[u8] = b"# EOF\n";

/// All findings of a page. The error is the reason why it is no page.
pub(crate) fn judge(format: PageFormat, body: &[u8], bounds: &Bounds) -> Result<Findings, PageFault> {
    let mut findings = Findings::default();
    let arena = Bump::new();
    let completed;
    let mut page = body;
    if format == PageFormat::OpenMetrics && !is_complete(body) {
        findings.add("# EOF", "the last line is missing, so that readers take the page for cut off: add it");
        completed = [body, EOF].concat();
        page = &completed;
    }
    let page = parse(&arena, format, page, bounds)?;
    let lines = match format {
        PageFormat::Protobuf => PageLines::default(),
        _ => PageLines::of(&String::from_utf8_lossy(body), format, &page.families),
    };
    let mut sound = HashSet::new();
    for family in &page.families {
        lines.judge(family, &mut findings);
        judge_naming(family, &mut findings);
        judge_units(family, &mut findings);
        let before = findings.count();
        judge_values(family, &mut findings);
        if findings.count() == before {
            sound.insert(family.name);
        }
        judge_identifiers(family, &mut findings);
    }
    lines.judge_joined(&page.families, &mut findings);
    for note in page.notes {
        findings.add(&note.family, format!("{}, which readers refuse: send no such series", note.reason));
    }
    judge_formats(&page.families, &sound, &mut findings);
    Ok(findings)
}

/// Adds findings for the series that a format cannot hold, because a scraper with that format would miss them. Values and labels
/// that are wrong in any format have findings already, and native histograms exist in one format only.
fn judge_formats(families: &[Family], sound: &HashSet<&str>, findings: &mut Findings) {
    for (format, name) in [
        (PageFormat::Text, "text format 0.0.4"),
        (PageFormat::OpenMetrics, "OpenMetrics"),
        (PageFormat::Protobuf, "protobuf"),
    ] {
        for note in encode(families, format, &mut Vec::new()) {
            if ![NATIVE_ONLY, RESERVED_LABEL].contains(&note.reason) && sound.contains(&*note.family) {
                findings.add(&note.family, format!("{}, which cannot stand in {name}", note.reason));
            }
        }
    }
}

fn is_complete(body: &[u8]) -> bool {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body == b"# EOF" || body.ends_with(b"\n# EOF")
}

#[cfg(test)]
mod tests;
