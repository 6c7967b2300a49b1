//! Which lines belong to the one before, as those of a stack trace do.

use std::{fmt, ops::Range, str::FromStr};

use super::{
    Charset,
    extent::line,
    pattern::Pattern,
    traces::{self, Language, Verdict},
};

/// `--multiline`: tells of each line whether it begins a record
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Multiline {
    /// The traces of a language
    Language(Language),
    /// A record begins where this is found.
    Start(Pattern),
}

impl FromStr for Multiline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "java" => Self::Language(Language::Java),
            "python" => Self::Language(Language::Python),
            "go" => Self::Language(Language::Go),
            "rust" => Self::Language(Language::Rust),
            // Most likely a language, and as a pattern it would join all lines that lack the word.
            _ if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(
                    "this is none of java, python, go and rust; the pattern of a first line begins with ^".into()
                );
            }
            _ => Self::Start(Pattern::new(text)?),
        })
    }
}

impl fmt::Display for Multiline {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Language(language) => f.write_str(language.name()),
            Self::Start(pattern) => pattern.fmt(f),
        }
    }
}

impl Multiline {
    pub(super) fn reader(&self, charset: Charset) -> Reader<'_> {
        Reader { multiline: self, charset, state: traces::State::default(), next: None }
    }

    /// Where the first record begins that may go on.
    pub(super) fn extent(&self, bytes: &[u8], charset: Charset) -> usize {
        let (mut reader, mut start) = (self.reader(charset), 0);
        while let Some(End { at, is_certain: true, .. }) = reader.record_end(bytes, start) {
            start = at;
        }
        start
    }
}

/// The end of a record
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Before the first line of the next record
    pub(super) at: usize,
    /// How many lines the record has
    pub(super) lines: u64,
    /// No line that may follow these bytes belongs to the record.
    pub(super) is_certain: bool,
}

/// Whether a line is the first of a record
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    /// Unless lines follow that are not there yet
    FirstSoFar,
    Further,
}

/// Finds where records end, one after the other
pub(super) struct Reader<'a> {
    multiline: &'a Multiline,
    charset: Charset,
    state: traces::State,
    /// Where the record begins whose first line was judged already, as the end of the one before
    next: Option<usize>,
}

impl Reader<'_> {
    /// The end of the record that begins at `from`
    pub(super) fn record_end(&mut self, bytes: &[u8], from: usize) -> Option<End> {
        let first = line(bytes, from)?;
        if self.next != Some(from) {
            self.place(bytes, &first);
        }
        let mut end = End { at: first.end, lines: 1, is_certain: false };
        while let Some(next) = line(bytes, end.at) {
            let place = self.place(bytes, &next);
            if place != Place::Further {
                self.next = Some(next.start);
                end.is_certain = place == Place::First;
                break;
            }
            end = End { at: next.end, lines: end.lines + 1, is_certain: false };
        }
        Some(end)
    }

    fn place(&mut self, bytes: &[u8], line: &Range<usize>) -> Place {
        let text = without_end(&bytes[line.clone()]);
        let language = match self.multiline {
            Multiline::Language(language) => *language,
            Multiline::Start(pattern) if pattern.is_in(&self.charset.decode(text).0) => return Place::First,
            Multiline::Start(_) => return Place::Further,
        };
        let place = match language.judge(&mut self.state, text) {
            Verdict::Begins => return Place::First,
            Verdict::GoesOn => return Place::Further,
            Verdict::Depends(most) => foresee(language, bytes, line.end, most),
        };
        if place != Place::Further {
            self.state = traces::State::Plain;
        }
        place
    }
}

/// The place of a line that depends on those behind it
fn foresee(language: Language, bytes: &[u8], mut from: usize, most: usize) -> Place {
    for _ in 0..most {
        let Some(next) = line(bytes, from) else { return Place::FirstSoFar };
        match language.shows_trace(without_end(&bytes[next.clone()])) {
            Some(true) => return Place::Further,
            Some(false) => return Place::First,
            None => from = next.end,
        }
    }
    Place::First
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records<'a>(multiline: &str, text: &'a str) -> Vec<&'a str> {
        let multiline: Multiline = multiline.parse().unwrap();
        let (mut reader, mut from, mut found) = (multiline.reader(Charset::default()), 0, Vec::new());
        while let Some(end) = reader.record_end(text.as_bytes(), from) {
            assert_eq!(end.lines, text[from..end.at].matches('\n').count() as u64);
            found.push(&text[from..end.at]);
            from = end.at;
        }
        found
    }

    #[test]
    fn a_pattern_begins_records() {
        let text = "rest\n[1] a\n b\n\n[2] c\r\n[3] ü\n";
        assert_eq!(records(r"^\[\d+\]", text), ["rest\n", "[1] a\n b\n\n", "[2] c\r\n", "[3] ü\n"]);
        assert_eq!(records("c$|ü", text), ["rest\n[1] a\n b\n\n", "[2] c\r\n", "[3] ü\n"]);
    }

    #[test]
    fn the_last_record_may_go_on() {
        let multiline: Multiline = r"^\[".parse().unwrap();
        let extent = |text: &str| multiline.extent(text.as_bytes(), Charset::default());
        assert_eq!((extent(""), extent("[1\n"), extent("[1\n 2\n")), (0, 0, 0));
        assert_eq!(extent("[1\n 2\n[3\n4\n"), 6);
    }

    #[test]
    fn what_is_no_pattern() {
        let error = |text: &str| text.parse::<Multiline>().unwrap_err();
        assert_eq!(
            error("jva"),
            "this is none of java, python, go and rust; the pattern of a first line begins with ^"
        );
        assert!(error("").starts_with("this is none of"));
        assert!(error("^[").starts_with("this is no regular expression"));
    }

    #[test]
    fn a_line_that_depends_on_the_next_ones_waits_for_them() {
        let java: Multiline = "java".parse().unwrap();
        let extent = |text: &str| java.extent(text.as_bytes(), Charset::default());
        let text = "INFO a\njava.lang.Error: one\ntwo\n";
        assert_eq!((records("java", text).len(), extent(text)), (2, 0));
        let whole = format!("{text}\tat b\nINFO c\n");
        assert_eq!((records("java", &whole).len(), extent(&whole)), (2, whole.len() - 7));
    }

    /// Lines that are of traces, or nearly
    fn some_line() -> impl Strategy<Value = String> {
        let known = proptest::sample::select(vec![
            "panic: x",
            "Traceback (most recent call last):",
            "ValueError: x",
            "id",
            "  required",
            "During handling of the above exception",
            "goroutine 1 [running]:",
            "thread 'a' panicked at a:1:",
            "note: x",
            "Caused by: x",
            "a.BException: x",
            "a.B: x",
            "\tat a.B.c(B.java:5)",
            "Stack trace:",
            "INFO a",
            "Nov 24, 2026 9:58:45 AM a b",
        ]);
        prop_oneof!["[ \\[a]{0,3}\r?", known.prop_map(str::to_owned)]
    }

    proptest! {
        #[test]
        fn records_are_all_lines(
            lines in proptest::collection::vec(some_line(), 0..30),
            kind in prop_oneof![Just(r"^\["), Just("java"), Just("python"), Just("go"), Just("rust")],
            some in 0..30_usize,
        ) {
            let text = |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
            let (before, all) = (text(&lines[..some.min(lines.len())]), text(&lines));
            let found = records(kind, &all);
            prop_assert_eq!(found.concat(), &*all);
            // A reader that starts at the beginning of a record finds the same records.
            for nth in 0..found.len() {
                let rest = found[nth..].concat();
                prop_assert_eq!(records(kind, &rest), &found[nth..]);
            }
            // Lines that follow change no record that is complete, and the last one never is.
            let multiline: Multiline = kind.parse().unwrap();
            let complete = multiline.extent(before.as_bytes(), Charset::default());
            let last = records(kind, &before).last().map_or(0, |last| last.len());
            prop_assert!(complete <= before.len() - last);
            let alone = records(kind, &before[..complete]);
            prop_assert_eq!(&alone, &found[..alone.len()]);
        }
    }
}
