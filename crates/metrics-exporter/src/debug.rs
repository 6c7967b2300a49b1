//! `/debug/merge` and `/debug/cardinality`: reports about the series of the last page, for people.

use std::fmt::Write as _;

use crate::{collect::collected::FaultyFile, exposition::page::Note, render::report::PageReport};

const NOTHING: &str = "no page was made yet: ask for /metrics first\n";

/// The state of each source, and the series that are left out of the page or changed on it.
pub(crate) fn merge(report: Option<&PageReport>) -> String {
    let Some(report) = report else { return NOTHING.into() };
    let mut text = String::from("sources\n");
    for outcome in &report.outcomes {
        let _ = write!(text, "  {} ({}): ", outcome.name, outcome.label);
        let seconds = outcome.duration.as_secs_f64();
        let _ = match &outcome.fault {
            Some(fault) => writeln!(text, "no page after {seconds:.3} s: {}: {}", fault.reason.label(), fault.text),
            None => writeln!(text, "{} series, {} bytes, {seconds:.3} s", outcome.series, outcome.bytes),
        };
    }
    for flaws in &report.flaws {
        let _ = writeln!(text, "\nflaws of the page of {}", flaws.source);
        for note in &flaws.notes {
            write_note(&mut text, note);
        }
    }
    write_faulty_files(&mut text, &report.faulty_files);
    let _ = writeln!(text, "\nmerge");
    for source in &report.merged.sources {
        let _ = writeln!(text, "  {}: {} of {} series on the page", source.name, source.kept, source.received);
        if source.labelled > 0 {
            let _ = writeln!(
                text,
                "    with the label source, because another source has the same: {} series",
                source.labelled
            );
        }
        for (reason, series) in &source.left_out {
            let _ = writeln!(text, "    left out, {}: {series} series", reason.label());
        }
    }
    if report.merged.is_memory_full {
        let _ =
            writeln!(text, "  more duplicates than can be remembered: their labels may change when a source is down");
    }
    let name = |source: usize| report.merged.sources.get(source).map_or("", |source| &source.name);
    for noted in &report.merged.notes {
        let _ = write!(text, "  {}:", name(noted.source));
        write_note(&mut text, &noted.note);
    }
    if report.merged.unlisted_notes > 0 {
        let _ = writeln!(text, "  and {} more notes", report.merged.unlisted_notes);
    }
    let _ = writeln!(text, "\nleft out, because {} cannot hold it", report.format.name());
    for note in &report.left_out {
        write_note(&mut text, note);
    }
    write_nothing_if(report.left_out.is_empty(), &mut text);
    text
}

/// The number of series of each source, and the metrics that have most.
pub(crate) fn cardinality(report: Option<&PageReport>) -> String {
    let Some(report) = report else { return NOTHING.into() };
    let mut sources: Vec<_> = report.merged.sources.iter().collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.received));
    let mut text = String::from("series by source: received, on the page\n");
    for source in sources {
        let _ = writeln!(text, "  {:>8} {:>8}  {}", source.received, source.kept, source.name);
    }
    text.push_str("\nlargest metrics before caps: series, sources\n");
    for metric in report.merged.cardinality.largest() {
        let _ = write!(text, "  {:>8} {:>8}  {}", metric.series, metric.sources, metric.name);
        let _ = match &metric.widest {
            Some((label, values)) => writeln!(text, " ({label} has {values} values in the first 1000 series)"),
            None => writeln!(text),
        };
    }
    text.push_str("\ncut by caps: series, limit\n");
    for overflow in &report.merged.overflows {
        let source = &report.merged.sources[overflow.source].name;
        let metric = if overflow.metric.is_empty() { "other metrics" } else { &overflow.metric };
        let _ = writeln!(text, "  {:>8} {:>13}  {metric} of {source}", overflow.series, overflow.limit.label());
    }
    write_nothing_if(report.merged.overflows.is_empty(), &mut text);
    text
}

/// Writes a line below a heading without lines, because the heading alone would look cut off.
fn write_nothing_if(is_empty: bool, text: &mut String) {
    if is_empty {
        text.push_str("  nothing\n");
    }
}

/// Lists the faulty textfiles. Without any there is no heading, because most pods have no textfiles.
fn write_faulty_files(text: &mut String, files: &[FaultyFile]) {
    if !files.is_empty() {
        text.push_str("\ntextfiles\n");
    }
    for FaultyFile { path, fault } in files {
        let _ = writeln!(text, "  {path}: no page: {fault}");
    }
}

fn write_note(text: &mut String, note: &Note) {
    let example = if note.example.is_empty() { String::new() } else { format!(", such as {}", note.example) };
    let _ = writeln!(text, "    {}: {}, {} series{example}", note.family, note.reason, note.series);
}
