//! The records of an app whose lines a container runtime has written: `--multiline` joins the lines
//! of one stream.
//!
//! The lines of each stream are unwrapped into a text of their own, which is read as a file of the
//! app's would be. A record of one stream could go on as long as the other stream writes. So a
//! record also ends where a line of either stream is more than [`GAP`] younger than its last one.

use std::ops::Range;

use super::{
    Charset, Multiline,
    amount::Amount,
    extent::Extent,
    parts::lines_from,
    syntax::{GAP, Part},
    wrapper::Wrapper,
};

/// How such lines are read
#[derive(Clone, Copy)]
pub(super) struct Nested<'a> {
    pub(super) wrapper: Wrapper,
    pub(super) multiline: &'a Multiline,
    pub(super) charset: Charset,
}

/// A line of the app
struct AppLine {
    /// In the text of its segment
    begin: usize,
    /// From its first part to its last in the file
    range: Range<usize>,
    amount: Amount,
}

/// Lines of one stream that are no further apart than [`GAP`]
#[derive(Default)]
struct Segment {
    text: Vec<u8>,
    lines: Vec<AppLine>,
    last_time: Option<i64>,
    /// The last line goes on.
    is_partial: bool,
    /// No more lines come.
    is_closed: bool,
}

impl Segment {
    fn has_ended(&self, time: i64) -> bool {
        self.last_time.is_some_and(|last| time.saturating_sub(last) > GAP)
    }

    /// Adds a line of the file, of which this is the app's text.
    fn add(&mut self, range: Range<usize>, text: &[u8], is_partial: bool) {
        let amount = Amount { bytes: range.len() as u64, lines: 1 };
        if let Some(line) = self.lines.last_mut().filter(|_| self.is_partial) {
            (line.range.end, line.amount) = (range.end, line.amount + amount);
            self.text.pop();
        } else {
            self.lines.push(AppLine { begin: self.text.len(), range, amount });
        }
        // Each line has one newline, at its end, so that lines of the text are those of the app.
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        self.text.extend(text.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        self.text.push(b'\n');
        self.is_partial = is_partial;
    }
}

impl Nested<'_> {
    /// Of whole lines, how many bytes stand before the first record that may go on.
    pub(super) fn extent(self, bytes: &[u8]) -> usize {
        let (mut end, mut ranges) = (bytes.len(), Vec::new());
        for mut segment in self.segments(bytes).0 {
            // A line that goes on may turn out to be any.
            if segment.is_partial
                && !segment.is_closed
                && let Some(line) = segment.lines.pop()
            {
                segment.text.truncate(line.begin);
                end = end.min(line.range.start);
            }
            for (Extent { range, .. }, is_certain) in self.records(&segment) {
                if !is_certain {
                    end = end.min(range.start);
                }
                ranges.push(range);
            }
        }
        // A record that stands on both sides belongs behind the end with all of its lines.
        ranges.sort_unstable_by_key(|range| range.start);
        for range in ranges.iter().rev() {
            if range.start < end && range.end > end {
                end = range.start;
            }
        }
        end
    }

    /// All records, in the order of their first lines
    pub(super) fn split(self, bytes: &[u8]) -> Vec<Extent> {
        let (segments, others) = self.segments(bytes);
        let mut extents: Vec<Extent> = others.into_iter().map(|line| Extent::apart(line, 1)).collect();
        extents.extend(segments.iter().flat_map(|segment| self.records(segment)).map(|(extent, _)| extent));
        extents.sort_unstable_by_key(|extent| extent.range.start);
        let mut covered = 0;
        for extent in &mut extents {
            extent.is_apart = covered <= extent.range.start;
            covered = covered.max(extent.range.end);
        }
        extents
    }

    /// A record as its first line with the text of all
    pub(super) fn join(self, record: &[u8]) -> Option<Vec<u8>> {
        let read = self.wrapper.syntax().part;
        let mut lines = lines_from(record, 0);
        let first_line = lines.next()?;
        let first = read(&record[first_line.clone()])?;
        let mut joined = Vec::with_capacity(record.len());
        joined.extend_from_slice(&record[..first.content.end]);
        let mut is_partial = first.is_partial;
        for line in lines {
            let Some(part) = read(&record[line.clone()]).filter(|part| part.stream == first.stream) else { continue };
            // Docker has the newline in the text.
            if !is_partial && self.wrapper == Wrapper::Cri {
                joined.push(b'\n');
            }
            joined.extend_from_slice(&record[line][part.content]);
            is_partial = part.is_partial;
        }
        joined.extend_from_slice(&record[first.content.end..first_line.end]);
        Some(joined)
    }

    /// The lines of each stream, and those of another form
    fn segments(self, bytes: &[u8]) -> (Vec<Segment>, Vec<Range<usize>>) {
        let (mut open, mut closed, mut others) = ([Segment::default(), Segment::default()], Vec::new(), Vec::new());
        let syntax = self.wrapper.syntax();
        for line in lines_from(bytes, 0) {
            let whole = &bytes[line.clone()];
            let Some(Part { stream, is_partial, content }) = (syntax.part)(whole) else {
                others.push(line);
                continue;
            };
            let time = syntax.time(whole);
            for segment in &mut open {
                if time.is_some_and(|time| segment.has_ended(time)) {
                    closed.push(Segment { is_closed: true, ..std::mem::take(segment) });
                }
            }
            let segment = &mut open[stream as usize];
            segment.add(line, &self.wrapper.unescaped(&whole[content]), is_partial);
            segment.last_time = time.or(segment.last_time);
        }
        closed.extend(open);
        (closed, others)
    }

    /// The records of a segment, and whether no later line can belong to them
    fn records(self, segment: &Segment) -> Vec<(Extent, bool)> {
        let (mut reader, mut records, mut from) = (self.multiline.reader(self.charset), Vec::new(), 0);
        let mut lines = segment.lines.iter().peekable();
        while let Some(end) = reader.record_end(&segment.text, from) {
            let Some(first) = lines.next() else { break };
            let mut extent = Extent::apart(first.range.clone(), 1);
            extent.amount = first.amount;
            while let Some(line) = lines.next_if(|line| line.begin < end.at) {
                extent.range.end = line.range.end;
                extent.amount = extent.amount + line.amount;
            }
            records.push((extent, end.is_certain || segment.is_closed));
            from = end.at;
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{Format, FormatFlags, TimeFlags, soundness::assert_sound};

    fn format(name: &str, multiline: &str) -> Format {
        let (name, multiline) = (name.parse().unwrap(), multiline.parse().unwrap());
        FormatFlags::default().format(Some(&name), Some(&multiline), None, &TimeFlags::default()).unwrap()
    }

    /// A line at this millisecond
    fn line(wrapper: &str, millis: u32, stream: &str, is_partial: bool, text: &str) -> String {
        let time = format!("2026-11-24T09:58:{:02}.{:03}Z", millis / 1000, millis % 1000);
        if wrapper == "cri" {
            let tag = if is_partial { "P" } else { "F" };
            return format!("{time} {stream} {tag} {text}\n");
        }
        let log = serde_json::to_string(&format!("{text}{}", if is_partial { "" } else { "\n" })).unwrap();
        format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n")
    }

    fn texts(format: &Format, lines: &str) -> Vec<String> {
        let read = |extent: Extent| {
            let record = &lines.as_bytes()[extent.range];
            let joined = if extent.amount.lines > 1 { format.join(record) } else { None };
            let (text, _) = format.decode(joined.as_deref().unwrap_or(record));
            format.unwrap(&format.without_ends(&text)).unwrap().text.into_owned()
        };
        format.split(lines.as_bytes()).map(read).collect()
    }

    #[test]
    fn traces_of_two_streams_are_joined_each() {
        for wrapper in ["cri", "docker"] {
            let lines = [
                line(wrapper, 0, "stdout", false, "INFO one"),
                line(wrapper, 1, "stderr", false, "java.lang.Error: a\r"),
                line(wrapper, 2, "stdout", true, "java.lang."),
                line(wrapper, 3, "stderr", false, "\tat A.b(A.java:1)\r"),
                line(wrapper, 4, "stdout", false, "Error: b"),
                line(wrapper, 5, "stdout", false, "\tat C.d(C.java:2)"),
                line(wrapper, 6, "stdout", false, "INFO two"),
            ];
            let (format, lines) = (format(wrapper, "java"), lines.concat());
            let traces = [
                "java.lang.Error: a\n\tat A.b(A.java:1)",
                "INFO one\njava.lang.Error: b\n\tat C.d(C.java:2)",
                "INFO two",
            ];
            let mut found = texts(&format, &lines);
            found.sort();
            let mut expected: Vec<_> = traces.map(|text| text.trim_end_matches('\r').to_owned()).into();
            expected.sort();
            assert_eq!(found, expected, "{wrapper}");
            assert_eq!(format.extent(lines.as_bytes()), 0);
            assert_sound(&format, lines.as_bytes());
        }
    }

    #[test]
    fn a_stream_that_rests_holds_up_no_other() {
        let format = format("cri", r"^\S");
        let one = line("cri", 0, "stderr", false, "one");
        let later = [line("cri", 900, "stdout", false, "a"), line("cri", 1001, "stdout", false, "b")].concat();
        let lines = one.clone() + &later;
        assert_eq!(format.extent((one.clone() + &later[..later.len() / 2]).as_bytes()), 0);
        assert_eq!(format.extent(lines.as_bytes()), lines.len() - later.len() / 2);
        // A line after the gap belongs to no record before it.
        assert_eq!(texts(&format, &(lines + &line("cri", 1100, "stderr", false, " two"))), ["one", "a", "b", " two"]);
    }

    proptest! {
        #[test]
        fn records_are_sound_and_complete_ones_stay(
            lines in proptest::collection::vec((0..1500_u32, any::<bool>(), any::<bool>(), 0..7_usize), 0..24),
            is_cri: bool,
            some in 0..24_usize,
        ) {
            let words = ["INFO a", "a.BException: c", "\tat d", "Caused by: e", "", "x", "Traceback"];
            let (wrapper, mut millis) = (if is_cri { "cri" } else { "docker" }, 0);
            let lines: Vec<String> = lines.iter().map(|(wait, is_stderr, is_partial, word)| {
                millis += wait * u32::from(wait % 3 == 0);
                line(wrapper, millis, if *is_stderr { "stderr" } else { "stdout" }, *is_partial, words[*word])
            }).collect();
            let format = format(wrapper, "java");
            let all = lines.concat();
            assert_sound(&format, all.as_bytes());
            let before = lines[..some.min(lines.len())].concat();
            let complete = format.extent(before.as_bytes());
            let is_in = |extent: &Extent| extent.range.end <= complete;
            let found: Vec<_> = format.split(&before.as_bytes()[..complete]).map(|extent| extent.range).collect();
            let expected: Vec<_> = format.split(all.as_bytes()).filter(is_in).map(|extent| extent.range).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
