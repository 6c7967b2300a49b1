//! The page of one round: parse each body, merge, encode, compress. Parsing and merging share one arena, which is freed with the
//! page.

pub(crate) mod report;

use std::{
    collections::HashSet,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use bumpalo::Bump;

use self::report::PageReport;
use crate::{
    collect::collected::{CollectedPage, FaultyFile},
    exposition::{
        encode::encode,
        model::Family,
        negotiation::Answer,
        page::{Bounds, LACKS_MEMORY, Note, Page, PageFault},
        page_format::PageFormat,
        parse::parse,
    },
    fetch::{
        Fetched,
        fetch_fault::{FetchFault, Reason},
        source_outcome::SourceOutcome,
    },
    merge::{MergeMemory, MergeSettings, Merged, Rule, SourcePage, merge},
    own_metrics,
    page_flaws::PageFlaws,
    round::Round,
    source::{OWN_SOURCE, Source},
};

/// The parser refuses a page with more series than the source's cap times this factor. Up to it the first series are kept.
const PARSE_FACTOR: usize = 4;
/// Copies of a body in memory, without the body itself
const COPIES: usize = 2;
/// Bounds for text that was checked before: the registry's, and the textfiles. Caps count their series later.
const JUDGED: Bounds = Bounds::of_series(usize::MAX);

/// The sources and the rules that a page is made by
pub(crate) struct Rules<'a> {
    pub(crate) sources: &'a [Arc<Source>],
    /// The rules for textfiles
    pub(crate) of_all: &'a [Rule],
    pub(crate) settings: &'a MergeSettings,
    /// Bytes of memory for the page that is made
    pub(crate) memory: usize,
}

/// A page, and the report about it
pub(crate) struct Rendered {
    pub(crate) bytes: Vec<u8>,
    /// The format and the encoding in use; the encoding may differ from the one that the scraper prefers
    pub(crate) answer: Answer,
    pub(crate) report: PageReport,
}

/// Makes the page of a round. `registry` is lifecycle's own page, in text format.
pub(crate) fn render(
    round: &Round,
    registry: &[u8],
    rules: &Rules,
    memory: &mut MergeMemory,
    asked: Answer,
) -> Rendered {
    // A function of its own, so that the arena is freed before the compression takes memory.
    let (bytes, report) = plain(round, registry, rules, memory, asked.format);
    let (bytes, encoding) = asked.encoding.compress(bytes);
    Rendered { bytes, answer: Answer { encoding, ..asked }, report }
}

/// The page before its compression
fn plain(
    round: &Round,
    registry: &[u8],
    rules: &Rules,
    memory: &mut MergeMemory,
    format: PageFormat,
) -> (Vec<u8>, PageReport) {
    let arena = Bump::new();
    let mut pages = Vec::with_capacity(rules.sources.len() + round.collected.pages.len() + 1);
    // The registry's text is valid; a test reads it.
    let mut own = parse(&arena, PageFormat::Text, registry, &JUDGED).map(|page| page.families).unwrap_or_default();
    let mut flaws = Vec::new();
    let mut faulty_files = round.collected.faulty_files.clone();
    let mut left = rules.memory;
    let files = file_pages(&arena, round, rules, &mut left, &mut flaws, &mut faulty_files);
    let (outcomes, families) = source_pages(&arena, round, rules, &mut left, &mut flaws);
    for (source, families) in rules.sources.iter().zip(families) {
        pages.push(SourcePage { name: &source.name, families, rules: &source.rules, is_own: false });
    }
    pages.extend(files);
    let of_sources = own_metrics::of_sources(&outcomes);
    own.extend(round.collected.families(&arena));
    own.extend(of_sources.families(&arena));
    pages.insert(0, SourcePage { name: OWN_SOURCE, families: own, rules: &[], is_own: true });

    let Merged { mut families, report: merged } = merge(&arena, pages, rules.settings, memory);
    let of_merge = own_metrics::of_merge(&merged, &flaws);
    families.extend(of_merge.families(&arena));
    families.sort_by_key(|family| family.name);

    // The page is about as long as the bodies, so this room saves copies while it grows.
    let mut bytes = Vec::with_capacity(outcomes.iter().map(|outcome| outcome.bytes).sum());
    let left_out = encode(&families, format, &mut bytes);
    (bytes, PageReport { outcomes, flaws, faulty_files, merged, format, left_out })
}

/// The pages of textfiles, which have at most half of the memory, so that they and the sources leave room for each other.
fn file_pages<'a>(
    arena: &'a Bump,
    round: &'a Round,
    rules: &Rules<'a>,
    left: &mut usize,
    flaws: &mut Vec<PageFlaws>,
    faulty_files: &mut Vec<FaultyFile>,
) -> Vec<SourcePage<'a>> {
    let mut names: HashSet<&str> = rules.sources.iter().map(|source| &*source.name).chain([OWN_SOURCE]).collect();
    let mut pages = Vec::with_capacity(round.collected.pages.len());
    let before = *left / 2;
    let bodies = round.collected.pages.iter().map(|page| page.body.len()).sum();
    let mut of_files = before.saturating_sub(bodies);
    for CollectedPage { source, body } in &round.collected.pages {
        let name = free_name(arena, source, &mut names);
        match parse_within(arena, PageFormat::Text, body, JUDGED, rules.of_all, &mut of_files) {
            Ok(Page { families, notes, .. }) => {
                flaws.extend(flaws_of(name, notes));
                pages.push(SourcePage { name, families, rules: rules.of_all, is_own: false });
            }
            // The collector has checked each file, but without the memory of the others.
            Err(fault) => {
                let series =
                    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count();
                let note = Note { family: String::new(), reason: LACKS_MEMORY, example: String::new(), series };
                flaws.extend(flaws_of(name, vec![note]));
                faulty_files.push(FaultyFile { path: source.clone(), fault: fault.fault });
            }
        }
    }
    *left -= before - of_files;
    pages
}

/// The outcomes and the families of all sources, in their order. The smallest bodies are parsed first, so that the largest are left
/// out when memory is short.
fn source_pages<'a>(
    arena: &'a Bump,
    round: &'a Round,
    rules: &Rules,
    left: &mut usize,
    flaws: &mut Vec<PageFlaws>,
) -> (Vec<SourceOutcome>, Vec<Vec<Family<'a>>>) {
    let length = |fetched: &Fetched| fetched.result.as_ref().map_or(0, |body| body.bytes.len());
    let mut asked: Vec<_> = rules.sources.iter().zip(&round.fetched).enumerate().collect();
    asked.sort_by_key(|(_, (_, fetched))| length(fetched));
    let mut pages: Vec<_> = asked
        .into_iter()
        .map(|(index, (source, fetched))| (index, source_page(arena, source, fetched, rules, left, flaws)))
        .collect();
    pages.sort_by_key(|(index, _)| *index);
    pages.into_iter().map(|(_, page)| page).unzip()
}

/// The name of a textfile, with a number behind it when a source or an earlier file has that name.
fn free_name<'a>(arena: &'a Bump, name: &'a str, taken: &mut HashSet<&'a str>) -> &'a str {
    let mut free = name;
    let mut number = 2;
    while !taken.insert(free) {
        free = arena.alloc_str(&format!("{name}-{number}"));
        number += 1;
    }
    free
}

/// The families of a source, unless it gave no page
fn source_page<'a>(
    arena: &'a Bump,
    source: &Source,
    fetched: &'a Fetched,
    rules: &Rules,
    left: &mut usize,
    flaws: &mut Vec<PageFlaws>,
) -> (SourceOutcome, Vec<Family<'a>>) {
    let mut outcome = SourceOutcome {
        name: source.name.clone(),
        label: source.client.label(),
        fault: None,
        duration: fetched.duration,
        bytes: 0,
        series: 0,
    };
    let parsed = fetched.result.as_ref().map_err(Clone::clone).and_then(|body| {
        outcome.bytes = body.bytes.len();
        let bounds = Bounds::of_series(rules.settings.caps.source.saturating_mul(PARSE_FACTOR));
        guarded(|| Ok(parse_within(arena, body.format, &body.bytes, bounds, &source.rules, left)?))
    });
    match parsed {
        Ok(Page { families, notes, .. }) => {
            outcome.series = families.iter().map(|family| family.series.len()).sum();
            flaws.extend(flaws_of(&source.name, notes));
            (outcome, families)
        }
        Err(fault) => (SourceOutcome { fault: Some(fault), ..outcome }, Vec::new()),
    }
}

/// Parses a body within the memory that is left, and takes what the body needs: its copies, for unescaped text and for the finished
/// page, and its series, of which relabelling makes new ones. The arena keeps the memory of a body that is no page, too.
fn parse_within<'a>(
    arena: &'a Bump,
    format: PageFormat,
    body: &'a [u8],
    bounds: Bounds,
    rules: &[Rule],
    left: &mut usize,
) -> Result<Page<'a>, PageFault> {
    let (copies, times) = (COPIES * body.len(), if rules.is_empty() { 1 } else { 2 });
    let before = arena.allocated_bytes();
    let parsed = parse(arena, format, body, &Bounds { memory: left.saturating_sub(copies) / times, ..bounds });
    let taken = match &parsed {
        Ok(page) => copies + page.cost * times,
        Err(_) => arena.allocated_bytes() - before,
    };
    *left = left.saturating_sub(taken);
    parsed
}

fn flaws_of(source: &str, notes: Vec<Note>) -> Option<PageFlaws> {
    (!notes.is_empty()).then(|| PageFlaws { source: source.to_owned(), notes })
}

/// Turns a panic into a fault, so that it costs the series of one source only.
fn guarded<T>(work: impl FnOnce() -> Result<T, FetchFault>) -> Result<T, FetchFault> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = "its page makes the exporter panic, which is a bug of the exporter: the log has the place";
        Err(FetchFault::new(Reason::Bug, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_page_takes_what_the_arena_keeps_of_it() {
        let whole = "wide{a=\"1\",b=\"2\",c=\"3\"} 1\nwide{d=\"1\",e=\"2\",f=\"3\"} 1\n".repeat(1_000);
        let labels = 2_000 * 3 * size_of::<crate::exposition::model::Label>();
        for body in [whole.clone() + "broken{\n", whole] {
            let (arena, mut left) = (Bump::new(), 10_000_000);
            let page = parse_within(&arena, PageFormat::Text, body.as_bytes(), JUDGED, &[], &mut left);
            assert!(10_000_000 - left >= labels, "{left} bytes are left after {:?}", page.err());
        }
    }

    #[test]
    fn a_panic_over_one_source_is_a_fault_of_its_page() {
        let fault = guarded::<()>(|| panic!("on purpose")).unwrap_err();
        assert_eq!(fault.reason, Reason::Bug);
        assert!(guarded(|| Ok(7)).is_ok());
    }
}
