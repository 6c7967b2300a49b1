//! Halves and selections together are the whole span.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
};

use proptest::prelude::*;

use super::*;
use crate::{
    format::{FormatFlags, TimeFlags},
    records::pool::Pool,
};

/// Offsets and messages of what is still to be sent
fn visited(batch: &Span) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    batch.records(|record| found.push((record.offset, record.message.to_string())));
    found
}

#[test]
fn a_single_line_has_no_halves() {
    assert!(of(b"one\n", Mark::Whole).halves().is_none());
    assert!(of(b"\n", Mark::Whole).halves().is_none());
    assert!(of(b"one", Mark::Unfinished).halves().is_none());
}

#[test]
fn parts_know_what_they_were_read_with() {
    let whole = of(b"one\ntwo\n", Mark::Whole);
    assert_eq!((whole.count(), whole.select(&[0, 1]).count(), whole.select(&[1]).count()), (2, 2, 1));
    let second = whole.halves().unwrap().1;
    assert_eq!((second.offset, second.read_from), (4, 0));
    assert_eq!(second.count(), 1);
}

#[test]
fn what_is_no_text_is_replaced_and_counted() {
    let batch = of(b"a\n\xff\xfeb\n", Mark::Whole);
    assert_eq!(visited(&batch), [(0, "a".into()), (2, "\u{fffd}\u{fffd}b".into())]);
    assert_eq!(batch.tally().invalid_bytes, 2);
}

/// A span of the file of a container runtime
fn of_cri(text: &str) -> Span {
    let format = FormatFlags::default().format(Some(&"cri".parse().unwrap()), None, None, &TimeFlags::default());
    let treatment = Arc::new(Treatment { format: format.unwrap(), ..Treatment::default() });
    let source = Source { path: Path::new("/logs/app.log").into(), generation: "0123456789abcdef".into(), treatment };
    Span { source: source.into(), ..of(text.as_bytes(), Mark::Whole) }
}

#[test]
fn halves_with_the_same_bytes_have_names_of_their_own() {
    let lines = ["stdout P a", "stderr F err", "stdout F b"].map(|line| format!("2026-11-24T09:58:45Z {line}\n"));
    let span = of_cri(&lines.concat());
    let (first, second) = span.halves().unwrap();
    assert_eq!((visited(&first), visited(&second)), (vec![(0, "ab".into())], vec![(32, "err".into())]));
    assert_eq!(first.bytes(), second.bytes());
    let names: HashSet<_> = [&span, &first, &second].map(Span::name).into();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(first.name(), span.halves().unwrap().0.name());
}

/// All single records of a span, as its refusals divide it
fn divided(span: Span) -> Vec<Span> {
    match span.halves() {
        Some((first, second)) => [divided(first), divided(second)].concat(),
        None => vec![span],
    }
}

/// The raw lines of some spans, of which none comes twice
fn lines_of(spans: &[Span]) -> BTreeSet<String> {
    let mut written = Vec::new();
    for span in spans {
        span.write_raw(&mut written);
    }
    let text = String::from_utf8(written).unwrap();
    let distinct: BTreeSet<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    assert_eq!(distinct.len(), text.lines().count());
    distinct
}

/// Lines that stand in several files, as the span of the first one completed by those of the next ones
fn completed(files: &[&[String]]) -> Span {
    let mut spans = files.iter().zip(1..).map(|(lines, key)| {
        let Span { source, .. } = of_cri("");
        let generation = format!("generation {key}").into();
        let source = Source { path: source.path.clone(), generation, treatment: source.treatment.clone() };
        Span { source: source.into(), key, ..of_cri(&lines.concat()) }
    });
    let first = spans.next().unwrap();
    first.completed(spans.collect(), Pool::default().empty(0))
}

#[test]
fn a_record_that_begins_in_the_next_file_has_its_place_there() {
    let line = |words: &&str| format!("2026-11-24T09:58:45Z {words}\n");
    let lines: Vec<_> =
        ["stdout P a", "stdout P b", "stderr P y", "stdout F c", "stderr F z"].iter().map(line).collect();
    let span = completed(&[&lines[..1], &lines[1..4], &lines[4..]]);
    assert_eq!((span.end(), span.by_file().map(Span::end).collect::<Vec<_>>()), (32, vec![32, 96, 32]));
    let [first, second] = [0, 1].map(|number| span.only(number).unwrap());
    assert_eq!((visited(&first), first.key, first.offset, first.end()), (vec![(0, "abc".into())], 1, 0, 32));
    assert_eq!((visited(&second), second.key, second.offset, second.end()), (vec![(32, "yz".into())], 2, 32, 96));
    assert_eq!((&*first.source.generation, &*second.source.generation), ("generation 1", "generation 2"));
    assert_eq!([first.lines(), second.lines()].concat(), lines_of_two_streams(&lines).into_bytes());
    // Their names as documents stay the same when an output divides the span.
    let (one, other) = span.halves().unwrap();
    assert_eq!([visited(&one), visited(&other)].concat(), visited(&span));
    assert_eq!((one.goes_on, other.goes_on, other.end()), (true, false, span.end()));
}

/// These lines, those of stdout first
fn lines_of_two_streams(lines: &[String]) -> String {
    let (out, error): (Vec<_>, Vec<_>) = lines.iter().cloned().partition(|line| line.contains("stdout"));
    out.concat() + &error.concat()
}

proptest! {
    #[test]
    fn each_record_of_several_files_is_found_where_it_begins(
        lines in proptest::collection::vec(any::<(bool, bool)>(), 3..12),
        cuts in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let line = |(nth, (is_error, is_partial)): (usize, &(bool, bool))| {
            let (stream, tag) = (if *is_error { "stderr" } else { "stdout" }, if *is_partial { "P" } else { "F" });
            // The parts of some records come too late to be joined.
            format!("2026-11-24T09:58:{:02}Z {stream} {tag} {nth},\n", 10 + nth / 3 * 2)
        };
        let text: Vec<String> = lines.iter().enumerate().map(line).collect();
        let mut cuts = [cuts.0.index(text.len()), cuts.1.index(text.len())];
        cuts.sort_unstable();
        let files = [&text[..cuts[0]], &text[cuts[0]..cuts[1]], &text[cuts[1]..]];
        let lengths = files.map(|lines| lines.concat().len() as u64);
        let span = completed(&files);
        let records = visited(&span);
        let single: Vec<_> = (0..records.len()).map(|nth| span.only(nth).unwrap()).collect();
        for ((offset, message), record) in records.iter().zip(&single) {
            let begin: u64 = lengths[..usize::try_from(record.key).unwrap() - 1].iter().sum();
            prop_assert_eq!(begin + record.offset, *offset);
            prop_assert_eq!(&visited(record)[0].1, message);
            let own_bytes = record.by_file().map(|lines| lines.own_bytes().len());
            prop_assert_eq!(own_bytes.sum::<usize>(), record.bytes().len());
            for lines in record.by_file() {
                prop_assert!(lines.end() <= lengths[usize::try_from(lines.key).unwrap() - 1]);
                prop_assert_eq!(&*lines.source.generation, format!("generation {}", lines.key));
            }
        }
        prop_assert_eq!(lines_of(&single), text.iter().cloned().collect::<BTreeSet<_>>());
        prop_assert_eq!(divided(span.clone()).iter().flat_map(visited).collect::<Vec<_>>(), records);
    }

    #[test]
    fn halves_are_the_whole(lines in proptest::collection::vec("[a-z]{0,9}", 2..30)) {
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        let whole = of(text.as_bytes(), Mark::Whole);
        let (first, second) = whole.halves().unwrap();
        prop_assert_eq!([first.bytes(), second.bytes()].concat(), text.as_bytes());
        prop_assert!(first.amount().lines > 0 && second.amount().lines > 0);
        prop_assert_eq!(first.amount() + second.amount(), whole.amount());
        prop_assert_eq!((first.end(), second.end()), (second.offset, whole.end()));
        prop_assert_eq!([visited(&first), visited(&second)].concat(), visited(&whole));
    }

    #[test]
    fn a_selection_is_halved_and_selected_again(lines in proptest::collection::vec(any::<(bool, bool)>(), 2..30)) {
        let text = (0..lines.len()).fold(String::new(), |text, number| format!("{text}{number}\n"));
        let whole = of(text.as_bytes(), Mark::Whole);
        let numbers: Vec<_> = (0..lines.len()).filter(|number| lines[*number].0).collect();
        let some = whole.select(&numbers);
        let expected: Vec<_> = numbers.iter().map(|number| visited(&whole)[*number].clone()).collect();
        prop_assert_eq!(&visited(&some), &expected);
        prop_assert_eq!(some.amount().lines, expected.len() as u64);
        if let Some((first, second)) = some.halves() {
            prop_assert_eq!([first.bytes(), second.bytes()].concat(), text.as_bytes());
            prop_assert_eq!([visited(&first), visited(&second)].concat(), expected.clone());
        }
        let again: Vec<_> = (0..numbers.len()).filter(|nth| lines[numbers[*nth]].1).collect();
        let fewer: Vec<_> = again.iter().map(|nth| expected[*nth].clone()).collect();
        prop_assert_eq!(visited(&some.select(&again)), fewer);
        let single: Vec<_> = (0..numbers.len()).flat_map(|nth| visited(&some.only(nth).unwrap())).collect();
        prop_assert_eq!(single, expected);
    }

    #[test]
    fn records_of_two_streams_are_divided_without_a_loss(
        lines in proptest::collection::vec(any::<(bool, bool, bool)>(), 1..20),
    ) {
        let line = |(nth, (is_error, is_partial, _)): (usize, &(bool, bool, bool))| {
            let (stream, tag) = (if *is_error { "stderr" } else { "stdout" }, if *is_partial { "P" } else { "F" });
            format!("2026-11-24T09:58:45Z {stream} {tag} {nth},\n")
        };
        let text: Vec<String> = lines.iter().enumerate().map(line).collect();
        let whole = of_cri(&text.concat());
        prop_assert_eq!(lines_of(&divided(whole.clone())), text.iter().cloned().collect::<BTreeSet<_>>());
        let kept: Vec<usize> = (0..whole.count()).filter(|number| lines[*number].2).collect();
        for span in [whole.select(&kept), whole] {
            let (records, parts) = (visited(&span), divided(span.clone()));
            prop_assert_eq!(parts.iter().flat_map(visited).collect::<Vec<_>>(), records.clone());
            let single = (0..records.len()).flat_map(|nth| visited(&span.only(nth).unwrap()));
            prop_assert_eq!(single.collect::<Vec<_>>(), records);
            prop_assert_eq!(parts.iter().map(Span::amount).fold(Amount::default(), Amount::add), span.amount());
            let names: HashSet<_> = parts.iter().map(Span::name).collect();
            prop_assert_eq!(names.len(), parts.len());
            // A part that moves the cursor leaves no record behind, and the last one moves it to the end.
            for (nth, part) in parts.iter().enumerate().filter(|(_, part)| !part.goes_on) {
                let is_left = |(offset, _): &(u64, String)| *offset < part.end();
                prop_assert!(!parts[nth + 1..].iter().flat_map(visited).any(|record| is_left(&record)));
            }
            let last = &parts[parts.len() - 1];
            prop_assert_eq!((last.goes_on, last.end()), (false, span.end()));
        }
    }
}
