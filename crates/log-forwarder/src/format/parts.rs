//! Lines that container runtimes write in parts: a line of the app's is one line of the file, or
//! several of one stream, of which each but the last says that it goes on. Lines of the other
//! stream may stand between.

use std::ops::Range;

use super::{
    amount::Amount,
    extent::{Extent, line},
    syntax::{Part, Syntax},
};

/// The streams of which a line goes on, with the times of their last parts; one without a time is never too old
#[derive(Clone, Copy, Debug, Default)]
struct Pending([Option<i64>; 2]);

impl Pending {
    /// Ends what this line is too young for.
    fn end_before(&mut self, syntax: Syntax, line: &[u8]) {
        for pending in &mut self.0 {
            pending.take_if(|last| syntax.is_apart(Some(*last), line));
        }
    }

    fn take(&mut self, syntax: Syntax, line: &[u8]) {
        if let Some(part) = (syntax.part)(line) {
            self.0[part.stream as usize] = part.is_partial.then(|| syntax.time(line).unwrap_or(i64::MAX));
        }
    }

    fn is_none(self) -> bool {
        self.0 == [None; 2]
    }
}

/// Of whole lines, how many bytes stand before the first of which the rest is still to come.
pub(super) fn extent(syntax: Syntax, bytes: &[u8]) -> usize {
    let (mut complete, mut pending) = (0, Pending::default());
    for line in lines_from(bytes, 0) {
        if !pending.is_none() {
            pending.end_before(syntax, &bytes[line.clone()]);
            if pending.is_none() {
                complete = line.start;
            }
        }
        pending.take(syntax, &bytes[line.clone()]);
        if pending.is_none() {
            complete = line.end;
        }
    }
    complete
}

/// How many first bytes of the next files belong to the records that have begun at the end of the one before: 0 if they
/// have ended there, and nothing if these bytes do not hold all of them.
pub(super) fn completion(syntax: Syntax, end: &[u8], next: &[u8]) -> Option<usize> {
    let mut pending = Pending::default();
    for line in lines_from(end, 0) {
        pending.end_before(syntax, &end[line.clone()]);
        pending.take(syntax, &end[line]);
    }
    if pending.is_none() {
        return Some(0);
    }
    for line in lines_from(next, 0) {
        pending.end_before(syntax, &next[line.clone()]);
        if pending.is_none() {
            return Some(line.start);
        }
        pending.take(syntax, &next[line.clone()]);
        if pending.is_none() {
            return Some(line.end);
        }
    }
    None
}

/// The parts of a record as its first line with the content of all; nothing if that line is the
/// whole record. Bytes are joined and not text, because runtimes cut at any byte.
pub(super) fn join(syntax: Syntax, record: &[u8]) -> Option<Vec<u8>> {
    let first_line = line(record, 0)?;
    let first = (syntax.part)(&record[first_line.clone()]).filter(|first| first.is_partial)?;
    let mut joined = Vec::with_capacity(record.len());
    joined.extend_from_slice(&record[..first.content.end]);
    for line in lines_from(record, first_line.end) {
        let Some(part) = (syntax.part)(&record[line.clone()]).filter(|part| part.stream == first.stream) else {
            continue;
        };
        joined.extend_from_slice(&record[line][part.content]);
        if !part.is_partial {
            break;
        }
    }
    joined.extend_from_slice(&record[first.content.end..first_line.end]);
    Some(joined)
}

/// The lines of a record that are of the stream of its first line
pub(super) fn write_own_lines(syntax: Syntax, record: &[u8], out: &mut Vec<u8>) {
    let stream = |line: &Range<usize>| (syntax.part)(&record[line.clone()]).map(|part| part.stream);
    let first = line(record, 0).and_then(|line| stream(&line));
    let own = lines_from(record, 0)
        .filter(|line| line.start == 0 || stream(line).is_some_and(|stream| Some(stream) == first));
    own.for_each(|line| out.extend_from_slice(&record[line]));
}

/// Finds where records are, in the order of their first lines
#[derive(Debug)]
pub(super) struct Split {
    syntax: Syntax,
    /// Where the last record of each stream ends
    ends: [usize; 2],
}

impl Split {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self { syntax, ends: [0; 2] }
    }

    /// The first record that begins there or later, and where to look for the next one
    pub(super) fn next(&mut self, bytes: &[u8], from: usize) -> Option<(Extent, usize)> {
        for line in lines_from(bytes, from) {
            let (next, is_apart) = (line.end, self.ends.iter().all(|end| *end <= line.start));
            let Some(first) = (self.syntax.part)(&bytes[line.clone()]) else {
                return Some((Extent { is_apart, ..Extent::apart(line, 1) }, next));
            };
            let end = &mut self.ends[first.stream as usize];
            // A line that belongs to an earlier record of its stream begins no record.
            if line.start >= *end {
                let extent = Extent { is_apart, ..record(self.syntax, bytes, line, &first) };
                *end = extent.range.end;
                return Some((extent, next));
            }
        }
        None
    }
}

/// The record with this first line
fn record(syntax: Syntax, bytes: &[u8], first_line: Range<usize>, first: &Part) -> Extent {
    let mut last = if first.is_partial { syntax.time(&bytes[first_line.clone()]) } else { None };
    let mut extent = Extent::apart(first_line, 1);
    if !first.is_partial {
        return extent;
    }
    for line in lines_from(bytes, extent.range.end) {
        let text = &bytes[line.clone()];
        if syntax.is_apart(last, text) {
            break;
        }
        let Some(part) = (syntax.part)(text).filter(|part| part.stream == first.stream) else { continue };
        last = syntax.time(text);
        extent.range.end = line.end;
        extent.amount = extent.amount + Amount { bytes: line.len() as u64, lines: 1 };
        if !part.is_partial {
            break;
        }
    }
    extent
}

/// Each line with its newline, the last one perhaps without
pub(super) fn lines_from(bytes: &[u8], mut from: usize) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        let line = line(bytes, from)?;
        from = line.end;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::cri, *};

    const CRI: Syntax = cri::SYNTAX;

    const ALTERNATING: &str = "\
2026-11-24T09:58:45.000000001Z stdout P one \n\
2026-11-24T09:58:45.000000002Z stderr F whole\n\
2026-11-24T09:58:45.000000003Z stderr P err\n\
2026-11-24T09:58:45.000000004Z stdout P and \n\
no such line\n\
2026-11-24T09:58:45.000000005Z stdout F two\n\
2026-11-24T09:58:45.000000006Z stderr F or\n\
2026-11-24T09:58:45.000000007Z stdout F:tag \n";

    /// Where each record begins, and its first line with all of its content
    fn records(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let (mut split, mut from, mut found) = (Split::new(CRI), 0, Vec::new());
        while let Some((record, next)) = split.next(text, from) {
            let first_line = line(text, record.range.start).unwrap();
            let joined = join(CRI, &text[record.range.clone()]);
            found.push((record.range.start, joined.unwrap_or_else(|| text[first_line].to_vec())));
            from = next;
        }
        found
    }

    #[test]
    fn parts_are_joined_whatever_stands_between() {
        let found = records(ALTERNATING.as_bytes());
        let texts: Vec<&str> = found.iter().map(|(_, text)| str::from_utf8(text).unwrap()).collect();
        assert_eq!(
            texts,
            [
                "2026-11-24T09:58:45.000000001Z stdout P one and two\n",
                "2026-11-24T09:58:45.000000002Z stderr F whole\n",
                "2026-11-24T09:58:45.000000003Z stderr P error\n",
                "no such line\n",
                "2026-11-24T09:58:45.000000007Z stdout F:tag \n",
            ]
        );
        let lines: Vec<usize> = lines_from(ALTERNATING.as_bytes(), 0).map(|line| line.start).collect();
        assert_eq!(
            found.iter().map(|(start, _)| *start).collect::<Vec<_>>(),
            [lines[0], lines[1], lines[2], lines[4], lines[7]]
        );
    }

    #[test]
    fn a_character_that_was_cut_is_whole_again() {
        let text = ["é".as_bytes(), "\u{1f600}".as_bytes()].concat();
        let line = |tag: &str, content: &[u8]| {
            [format!("2026-11-24T09:58:45Z stdout {tag} ").as_bytes(), content, b"\n"].concat()
        };
        for (one, two) in (0..text.len()).flat_map(|one| (one..text.len()).map(move |two| (one, two))) {
            let record = [line("P", &text[..one]), line("P", &text[one..two]), line("F", &text[two..])].concat();
            assert_eq!(records(&record), [(0, line("P", &text))]);
        }
    }

    #[test]
    fn nothing_ends_within_a_record() {
        let complete: Vec<usize> = lines_from(ALTERNATING.as_bytes(), 0)
            .map(|line| extent(CRI, &ALTERNATING.as_bytes()[..line.end]))
            .enumerate()
            .filter(|(_, extent)| *extent > 0)
            .map(|(nth, _)| nth)
            .collect();
        assert_eq!(complete, [6, 7]);
        assert_eq!(extent(CRI, ALTERNATING.as_bytes()), ALTERNATING.len());
    }

    #[test]
    fn a_record_ends_in_the_next_file() {
        let lines: Vec<Range<usize>> = lines_from(ALTERNATING.as_bytes(), 0).collect();
        for cut in &lines {
            let (end, next) = ALTERNATING.as_bytes().split_at(cut.end);
            let begun = extent(CRI, end);
            let wanted = if begun < end.len() { lines[6].end - end.len() } else { 0 };
            assert_eq!(completion(CRI, &end[begun..], next), Some(wanted));
        }
        let end = b"2026-11-24T09:58:45Z stdout P a\n";
        assert_eq!(completion(CRI, end, b"2026-11-24T09:58:45Z stderr F b\n"), None);
    }

    #[test]
    fn a_part_that_nothing_follows_holds_up_no_other_stream() {
        let prompt = "2026-11-24T09:58:45.000Z stdout P prompt> \n";
        let others = ["2026-11-24T09:58:46.000Z stderr F a\n", "2026-11-24T09:58:46.001Z stderr F b\n"];
        let answer = "2026-11-24T09:58:46.002Z stdout F yes\n";
        let text = [prompt, others[0], others[1], answer].concat();
        let before = prompt.len() + others[0].len();
        assert_eq!(extent(CRI, &text.as_bytes()[..before]), 0);
        assert_eq!(extent(CRI, &text.as_bytes()[..before + others[1].len()]), before + others[1].len());
        let found: Vec<_> =
            records(text.as_bytes()).into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect();
        assert_eq!(found, [prompt, others[0], others[1], answer]);
        // Another file goes on with it only within that time.
        assert_eq!(completion(CRI, prompt.as_bytes(), [others[1], answer].concat().as_bytes()), Some(0));
        assert_eq!(completion(CRI, prompt.as_bytes(), others.concat().as_bytes()), Some(others[0].len()));
    }

    #[test]
    fn what_never_ends_is_taken_as_it_is() {
        let text = b"2026-11-24T09:58:45Z stdout P a\n2026-11-24T09:58:45Z stdout P b\n";
        assert_eq!(records(text), [(0, b"2026-11-24T09:58:45Z stdout P ab\n".to_vec())]);
        assert_eq!(extent(CRI, text), 0);
    }
}
